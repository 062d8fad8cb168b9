import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { LinkClosedError, ProtocolError } from './errors.js';
import type { Role } from './transcripts.js';

/**
 * The first bytes of every stream that an introduction leads to, before any TLS: who lacks the introduction's token
 * learns nothing, not even a certificate. Each role has a preface of its own, so that an echo proves nothing.
 *
 *   "tbeep/1\n"   HMAC-SHA256(key = token, "turbo-beep/1 preface " + role)
 *
 * It cannot be taken for TLS, whose records begin with 0x16.
 */
const MAGIC = Buffer.from('tbeep/1\n', 'latin1');
export const PREFACE_BYTES = MAGIC.length + 32;

export function prefaceOf(token: Buffer, role: Role): Buffer {
  return Buffer.concat([MAGIC, createHmac('sha256', token).update(`turbo-beep/1 preface ${role}`).digest()]);
}

export function prefaceMatches(preface: Buffer, token: Buffer, role: Role): boolean {
  const expected = prefaceOf(token, role);
  return preface.length === expected.length && timingSafeEqual(preface, expected);
}

/**
 * Reads exactly one preface and leaves the rest on the stream, which stays paused. Rejects with ProtocolError if
 * it is none, with LinkClosedError if the stream ends first.
 */
export async function readPreface(stream: Duplex, signal: AbortSignal): Promise<Buffer> {
  const bytes = await readExactly(stream, PREFACE_BYTES, signal);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new ProtocolError('stream without a preface');
  return bytes;
}

/** In paused mode: what lies beyond `count` stays in the stream's own buffer, where node:tls picks it up. */
function readExactly(stream: Duplex, count: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tryRead = () => {
      const bytes: Buffer | null = stream.read(count);
      if (bytes === null) return;
      settle();
      if (bytes.length < count) reject(new LinkClosedError('closed before its preface'));
      else resolve(bytes);
    };
    const onClose = (error?: Error) => {
      settle();
      reject(new LinkClosedError(error?.message ?? 'closed before its preface'));
    };
    const onEnd = () => onClose();
    const onAbort = () => {
      settle();
      reject(signal.reason);
    };
    const settle = () => {
      stream.off('readable', tryRead).off('close', onEnd).off('error', onClose).off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    if (signal.aborted) return reject(signal.reason);
    if (stream.destroyed) return reject(new LinkClosedError('closed before its preface'));
    signal.addEventListener('abort', onAbort, { once: true });
    stream.on('readable', tryRead).on('close', onEnd).on('error', onClose).on('end', onEnd);
    tryRead();
  });
}
