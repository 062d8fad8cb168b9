import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { OpenFile } from './open-file.js';
import { READ_ONLY } from './open-flags.js';

export const SHA256_BYTES = 32;
/** Checkpoints lie at multiples of it, but for the last. */
const CHECKPOINT_UNIT = 1024 * 1024;
/** What is sent again from a checkpoint is at most this part more than what differs, and a unit. */
const SENT_AGAIN = 1 / 64;
/** What was just read is hashed while it lies in the cache that a processor has to itself. */
export const HASHED_PIECE_BYTES = 64 * 1024;
/** After so many bytes others have their turn: whoever wants to stop this, for one. */
const TURN_BYTES = 2 * 1024 * 1024;

/** SHA-256 of a file as far as it was read: tells every prefix's digest on the way, and at last the whole file's. */
export class RunningDigest {
  readonly #hash: Hash;
  #length: number;

  constructor(hash: Hash = createHash('sha256'), length = 0) {
    this.#hash = hash;
    this.#length = length;
  }

  /** Bytes taken in so far. */
  get length(): number {
    return this.#length;
  }

  update(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  digest(): Buffer {
    return this.#hash.copy().digest();
  }

  copy(): RunningDigest {
    return new RunningDigest(this.#hash.copy(), this.#length);
  }
}

/** Takes the open file in from where `digest` is up to `length`. False if the file is shorter. */
export async function digestUpTo(
  length: number,
  fd: number,
  digest: RunningDigest,
  signal: AbortSignal,
): Promise<boolean> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(HASHED_PIECE_BYTES, Math.max(length - digest.length, 0)));
  for (let turnEnds = digest.length + TURN_BYTES; digest.length < length; ) {
    signal.throwIfAborted();
    const wanted = Math.min(buffer.length, length - digest.length);
    const bytesRead = readSync(fd, buffer, 0, wanted, digest.length);
    if (bytesRead === 0) return false;
    digest.update(buffer.subarray(0, bytesRead));
    if (digest.length < turnEnds) continue;
    turnEnds += TURN_BYTES;
    await setImmediate();
  }
  return true;
}

/**
 * Where checkpoints of a file lie of which `length` bytes are there, rising: one at the exact end, the others the denser
 * the closer they are to it. Some 300 for 4 GiB, and fewer than MAX_CHECKPOINTS for any file.
 */
export function checkpointLengths(length: number): number[] {
  const lengths: number[] = [];
  for (let at = length; at > 0; ) {
    lengths.push(at);
    const back = Math.max(1, (length - at) * SENT_AGAIN);
    at = Math.floor((at - back) / CHECKPOINT_UNIT) * CHECKPOINT_UNIT;
  }
  return lengths.reverse();
}

/** SHA-256, in hex, of the first `length` bytes of the file at `path`; of less if it is shorter. Follows no symlink. */
export async function digestOfFile(path: string, length: number, signal: AbortSignal): Promise<string> {
  const file = new OpenFile(path, READ_ONLY);
  try {
    const digest = new RunningDigest();
    await digestUpTo(length, file.fd, digest, signal);
    return digest.digest().toString('hex');
  } finally {
    file.close();
  }
}
