/** One line of input, or why it is none. */
export type InputLine = { kind: 'text'; text: string } | { kind: 'tooLong' } | { kind: 'notUtf8' };

export const MAX_LINE_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;

/** Cuts bytes into lines of UTF-8, in whatever pieces they arrive. A line that is too long is dropped, not kept. */
export class LineSplitter {
  #parts: Buffer[] = [];
  #length = 0;

  feed(bytes: Buffer): InputLine[] {
    const lines: InputLine[] = [];
    let start = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, start)) {
      this.#keep(bytes.subarray(start, at));
      lines.push(this.#takeLine());
      start = at + 1;
    }
    this.#keep(bytes.subarray(start));
    return lines;
  }

  /** The last line needs no newline. */
  end(): InputLine[] {
    return this.#length > 0 ? [this.#takeLine()] : [];
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length <= MAX_LINE_BYTES) this.#parts.push(part);
    else this.#parts = [];
  }

  #takeLine(): InputLine {
    const tooLong = this.#length > MAX_LINE_BYTES;
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    return tooLong ? { kind: 'tooLong' } : decode(bytes);
  }
}

function decode(bytes: Buffer): InputLine {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { kind: 'text', text: text.replace(/\r$/, '') };
  } catch {
    return { kind: 'notUtf8' };
  }
}
