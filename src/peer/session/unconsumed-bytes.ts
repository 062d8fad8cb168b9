/** The end of a byte stream that its receiver has not yet taken in, addressed by offset from the stream's beginning. */
export class UnconsumedBytes {
  readonly #chunks: Buffer[] = [];
  #start = 0;
  #end = 0;

  /** Offset of the first byte that is still here. */
  get start(): number {
    return this.#start;
  }

  /** Offset after the last byte. */
  get end(): number {
    return this.#end;
  }

  get size(): number {
    return this.#end - this.#start;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#end += bytes.length;
  }

  /** Everything before `offset` is not needed any more. */
  consume(offset: number): void {
    while (this.#start < offset) {
      const first = this.#chunks[0];
      if (!first) return;
      const taken = Math.min(first.length, offset - this.#start);
      if (taken === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(taken);
      this.#start += taken;
    }
  }

  /** At least one byte and at most `length` from `offset` on, uncopied; empty at the end. */
  slice(offset: number, length: number): Buffer {
    let at = this.#start;
    for (const chunk of this.#chunks) {
      if (offset < at + chunk.length) return chunk.subarray(offset - at, offset - at + length);
      at += chunk.length;
    }
    return Buffer.alloc(0);
  }
}
