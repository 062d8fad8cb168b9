import type { Socket } from 'node:net';
import { LinkClosedError, ProtocolError } from '../protocol/errors.js';

/** With which every TLS connection begins (RFC 8446, section 5.1: a handshake record), and no preface does. */
export const TLS_HANDSHAKE = 0x16;

const RECORD_HEADER_BYTES = 5;
const MAX_RECORD_BYTES = 16_384;
const HANDSHAKE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;

/** Looks at the first byte that comes and leaves it, and whatever came with it, on the stream. */
export async function peekFirstByte(socket: Socket, signal: AbortSignal): Promise<number> {
  return (await peek(socket, 1, signal)).readUInt8();
}

/**
 * Waits until a whole ClientHello lies on the stream, and leaves it there. Until then TLS costs its sender more than us;
 * from there on it costs us a signature. Rejects with ProtocolError if the first record holds none.
 */
export async function peekClientHello(socket: Socket, signal: AbortSignal): Promise<void> {
  const start = RECORD_HEADER_BYTES + HANDSHAKE_HEADER_BYTES;
  const header = await peek(socket, start, signal);
  const recordBytes = header.readUInt16BE(3);
  const fits = header.readUIntBE(6, 3) <= recordBytes - HANDSHAKE_HEADER_BYTES;
  if (header[5] !== CLIENT_HELLO || recordBytes > MAX_RECORD_BYTES || !fits)
    throw new ProtocolError('no ClientHello in the first record');
  await peek(socket, RECORD_HEADER_BYTES + recordBytes, signal);
}

/** What comes first, as soon as it is so many bytes or more. */
function peek(socket: Socket, count: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = () => {
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk) bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      if (bytes.length < count) return;
      settle();
      socket.unshift(bytes);
      resolve(bytes);
    };
    const onEnd = () => {
      settle();
      reject(new LinkClosedError('closed before its first bytes'));
    };
    const onAbort = () => {
      settle();
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    if (socket.destroyed) return reject(new LinkClosedError('closed before its first bytes'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
    if (socket.readableLength > 0) onReadable();
  });
}
