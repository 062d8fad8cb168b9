import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** What one TLS record carries at most, and node:tls hands over at once. */
const RECORD_BYTES = 16 * 1024;

/**
 * Has node:tls decrypt into one piece of memory again and again. Otherwise each 16 KiB come in a new Buffer: finding
 * memory for it, and collecting it, took a receiver as long as TLS itself. `take` is called with what comes while the
 * socket flows, and must have copied it when it returns; what comes at other times is emitted as 'data', as ever.
 *
 * Where Node has changed what lend() needs nothing happens, and everything is emitted as 'data'.
 */
export function lendReads(socket: Duplex, take: (bytes: Buffer) => void): void {
  if (!(socket instanceof TLSSocket)) return;
  lend(socket, Buffer.allocUnsafeSlow(RECORD_BYTES), (bytes) => {
    // While the socket is paused, or has not yet emitted what came before, this has to wait its turn.
    if (!socket.readableFlowing || socket.readableLength > 0) return socket.push(Buffer.from(bytes));
    take(bytes);
    return true;
  });
}

/**
 * Has the first `count` bytes of a socket that is only just open read without those that follow, which stay with the
 * kernel: what is laid over the socket then reads them itself. Where Node or the socket are not as we know them, more
 * may be read, and all of it is in the socket's own buffer, as ever.
 */
export function readNoFurther(socket: Duplex, count: number): void {
  if (!(socket instanceof Socket) || socket instanceof TLSSocket) return;
  const memory = Buffer.allocUnsafeSlow(count);
  let filled = 0;
  const take = (bytes: Buffer): boolean => {
    filled += bytes.length;
    return socket.push(Buffer.from(bytes)) && filled !== count;
  };
  lend(socket, memory, take, () => (filled < count ? memory.subarray(filled) : undefined));
}

/**
 * Node has this as the option `onread` for a socket that connects by itself, and gives no way to ask for it where a
 * socket, or what TLS is laid over, is open already, as all of ours are. So this does what the constructor of net.Socket
 * does with that option. `take` returns false to have reading stop; `next` may tell of other memory to read into after it.
 */
function lend(
  socket: Socket,
  memory: Buffer,
  take: (bytes: Buffer) => boolean,
  next: (() => Buffer | undefined) | null = null,
): void {
  const handle: unknown = Reflect.get(socket, '_handle');
  const bufferKey = unsetKey(socket, 'kBuffer');
  const callbackKey = unsetKey(socket, 'kBufferCb');
  const generatorKey = unsetKey(socket, 'kBufferGen');
  if (!canUseBuffer(handle) || !bufferKey || !callbackKey || !generatorKey) return;
  Reflect.set(socket, bufferKey, memory);
  Reflect.set(socket, callbackKey, (length: number, into: Buffer) => take(into.subarray(0, length)));
  Reflect.set(socket, generatorKey, next);
  handle.useUserBuffer(memory);
}

/** The socket's own symbol of that name, if nothing is there yet. */
function unsetKey(socket: Socket, name: string): symbol | undefined {
  const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === name);
  return key && Reflect.get(socket, key) === null ? key : undefined;
}

function canUseBuffer(handle: unknown): handle is { useUserBuffer(memory: Buffer): void } {
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return false;
  return typeof handle.useUserBuffer === 'function';
}
