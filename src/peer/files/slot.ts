import { DATA_CHUNK_BYTES } from '../../protocol/constants.js';
import { DATA_HEAD_BYTES } from '../../protocol/data-frames.js';
import { SHA256_BYTES } from './running-digest.js';

/** Four of the longest pieces and their file's end. */
const SLOT_BYTES = 4 * (DATA_HEAD_BYTES + DATA_CHUNK_BYTES) + DATA_HEAD_BYTES + SHA256_BYTES;

export function newSlot(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOT_BYTES);
}

/** Memory that one thread fills with pieces of files, and another sends them from, in turn. Filled from front to back. */
export class Slot {
  readonly #memory: SharedArrayBuffer;
  #taken = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
  }

  /** `length` bytes that were not taken before, with as many before them as a data frame has before its content. Null if full. */
  take(length: number): Buffer | null {
    const at = this.#taken + DATA_HEAD_BYTES;
    if (at + length > this.#memory.byteLength) return null;
    this.#taken = at + length;
    return Buffer.from(this.#memory, at, length);
  }

  /** `length` bytes that follow what was taken last. Null if full. */
  extend(length: number): Buffer | null {
    const at = this.#taken;
    if (at + length > this.#memory.byteLength) return null;
    this.#taken = at + length;
    return Buffer.from(this.#memory, at, length);
  }
}
