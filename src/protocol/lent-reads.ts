import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** What one TLS record carries at most, and node:tls hands over at once. */
const RECORD_BYTES = 16 * 1024;

/**
 * Has node:tls decrypt into one piece of memory again and again. Otherwise each 16 KiB come in a new Buffer: finding
 * memory for it, and collecting it, took a receiver as long as TLS itself. `take` is called with what comes while the
 * socket flows, and must have copied it when it returns; what comes at other times is emitted as 'data', as ever.
 *
 * Node has this as the option `onread` for a socket that connects by itself, and gives no way to ask for it where TLS
 * is laid over a stream that is open already, as all of ours are. So this does what the constructor of net.Socket does
 * with that option. Where Node has changed it nothing happens, and everything is emitted as 'data'.
 */
export function lendReads(socket: Duplex, take: (bytes: Buffer) => void): void {
  if (!(socket instanceof TLSSocket)) return;
  const handle: unknown = Reflect.get(socket, '_handle');
  const bufferKey = unsetKey(socket, 'kBuffer');
  const callbackKey = unsetKey(socket, 'kBufferCb');
  const generatorKey = unsetKey(socket, 'kBufferGen');
  if (!canUseBuffer(handle) || !bufferKey || !callbackKey || !generatorKey) return;
  const memory = Buffer.allocUnsafeSlow(RECORD_BYTES);
  Reflect.set(socket, bufferKey, memory);
  Reflect.set(socket, callbackKey, (length: number): boolean => {
    const bytes = memory.subarray(0, length);
    // While the socket is paused, or has not yet emitted what came before, this has to wait its turn.
    if (!socket.readableFlowing || socket.readableLength > 0) return socket.push(Buffer.from(bytes));
    take(bytes);
    return true;
  });
  handle.useUserBuffer(memory);
}

/** The socket's own symbol of that name, if nothing is there yet. */
function unsetKey(socket: TLSSocket, name: string): symbol | undefined {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
  return key && Reflect.get(socket, key) === null ? key : undefined;
}

function canUseBuffer(handle: unknown): handle is { useUserBuffer(memory: Buffer): void } {
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return false;
  return typeof handle.useUserBuffer === 'function';
}
