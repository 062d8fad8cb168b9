import type { Readable } from 'node:stream';
import { type InputLine, LineSplitter } from './line-splitter.js';

/** Hands over the lines of `input` as they come, and tells its end; an input that breaks has ended. */
export class LineInput {
  readonly #input: Readable;
  readonly #onLine: (line: InputLine) => void;
  readonly #onEnd: () => void;
  readonly #splitter = new LineSplitter();

  constructor(input: Readable, onLine: (line: InputLine) => void, onEnd: () => void) {
    this.#input = input;
    this.#onLine = onLine;
    this.#onEnd = onEnd;
    input.on('data', this.#feed).on('end', this.#end).on('error', this.#end);
  }

  /** Somebody else may read on. That it breaks later is still no news to crash from. */
  stop(): void {
    this.#input.off('data', this.#feed).off('end', this.#end);
    this.#input.pause();
  }

  readonly #feed = (bytes: Buffer | string): void => {
    for (const line of this.#splitter.feed(Buffer.from(bytes as string))) this.#onLine(line);
  };

  readonly #end = (): void => {
    for (const line of this.#splitter.end()) this.#onLine(line);
    this.#onEnd();
  };
}
