import { DATA_CHUNK_BYTES, DATA_HEADER_BYTES } from './constants.js';

/** Room for the frames that a large file comes in on a fast path. */
const PIECE_BYTES = DATA_HEADER_BYTES + DATA_CHUNK_BYTES;
/** Where less is needed, what is kept would take much more memory than is counted for it. */
const LEAST_BYTES = PIECE_BYTES / 2;
/** A little more than a receiver leaves to wait. */
const MAX_FREE = 20;

const free: Buffer[] = [];

/**
 * Memory for a data frame's payload, which shares it with nothing else. Large ones that are given back are used again:
 * what has just been read is still in the processor's cache, and the heap does not grow.
 */
export function memoryForData(length: number): Buffer {
  const isLarge = length >= LEAST_BYTES && length <= PIECE_BYTES;
  if (!isLarge) return Buffer.allocUnsafeSlow(length);
  return (free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES)).subarray(0, length);
}

/** `content`: all or a part of what memoryForData gave. Whoever says this reads it no more, and says it once. */
export function giveBackMemory(content: Buffer): void {
  if (content.buffer.byteLength === PIECE_BYTES && free.length < MAX_FREE) free.push(Buffer.from(content.buffer));
}
