import type { Socket } from 'node:net';
import { LinkClosedError } from '../protocol/errors.js';

/** With which every TLS connection begins (RFC 8446, section 5.1: a handshake record), and no preface does. */
export const TLS_HANDSHAKE = 0x16;

/** Looks at the first byte that comes and leaves it, and whatever came with it, on the stream. */
export function peekFirstByte(socket: Socket, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      const first = chunk?.[0];
      if (!chunk || first === undefined) return;
      settle();
      socket.unshift(chunk);
      resolve(first);
    };
    const onEnd = () => {
      settle();
      reject(new LinkClosedError('closed before its first byte'));
    };
    const onAbort = () => {
      settle();
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
  });
}
