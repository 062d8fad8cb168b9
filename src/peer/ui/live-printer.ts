import { newPainter, type Painter } from './paint.js';
import { cutRow, type Row, wrapRow } from './rows.js';
import type { Lines } from './wording.js';

export interface LiveOutput extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

/** Elsewhere than on a terminal a changing line is repeated this seldom. */
const CALM_MS = 5_000;
/** What is written at once: a write for each line takes longer than making it. */
const WRITE_LENGTH = 64 * 1024;

/** Prints lines, and one changing line below them: redrawn in place on a terminal, repeated calmly elsewhere. */
export class LivePrinter {
  readonly #output: LiveOutput;
  readonly #paint: Painter;
  #live: Row | undefined;
  #lastToldMs: number | undefined;

  constructor(output: LiveOutput, colour: boolean) {
    this.#output = output;
    this.#paint = newPainter(colour);
  }

  get columns(): number {
    return this.#output.columns || 100;
  }

  line(row: Row): void {
    this.#above(() => this.#output.write(`${this.#paint(row)}\n`));
  }

  /** Lines that a terminal gets broken between words. */
  words({ count, hang = 0, line }: Lines): void {
    this.#above(() => {
      let text = '';
      for (let index = 0; index < count; index += 1) {
        const rows = this.#output.isTTY ? wrapRow(line(index), this.columns, hang) : [line(index)];
        for (const row of rows) text += `${this.#paint(row)}\n`;
        if (text.length < WRITE_LENGTH && index < count - 1) continue;
        this.#output.write(text);
        text = '';
      }
    });
  }

  /** Shows the changing line. */
  live(row: Row): void {
    if (this.#output.isTTY) {
      this.#erase();
      // A line that wrapped could not be redrawn in place.
      this.#output.write(this.#paint(cutRow(row, this.columns - 1)));
    } else {
      this.#tellCalmly(row);
    }
    this.#live = row;
  }

  /** Leaves the changing line standing as it is now. */
  settle(): void {
    if (this.#live && this.#output.isTTY) this.#output.write('\n');
    this.#live = undefined;
  }

  /** Takes the changing line away. */
  clear(): void {
    this.#erase();
  }

  /** The changing line was a question, and the person's Enter has ended it. */
  answered(): void {
    this.#live = undefined;
  }

  #above(print: () => void): void {
    const live = this.#live;
    this.#erase();
    print();
    if (live) this.live(live);
  }

  /** What is over in a moment is not told at all. */
  #tellCalmly(row: Row): void {
    const now = Date.now();
    this.#lastToldMs ??= now;
    if (now - this.#lastToldMs < CALM_MS) return;
    this.#lastToldMs = now;
    this.#output.write(`${this.#paint(row)}\n`);
  }

  #erase(): void {
    if (this.#live && this.#output.isTTY) this.#output.write('\r\x1b[K');
    this.#live = undefined;
  }
}
