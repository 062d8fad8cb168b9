import { newPainter, type Painter } from './paint.js';
import { cutRow, type Row, wrapRow } from './rows.js';

export interface LiveOutput extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

/** Elsewhere than on a terminal a changing line is repeated this seldom. */
const CALM_MS = 5_000;

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
    const live = this.#live;
    this.#erase();
    this.#output.write(`${this.#paint(row)}\n`);
    if (live) this.live(live);
  }

  /** A line that a terminal gets broken between words. @param hang the columns by which what is wrapped goes in */
  words(row: Row, hang = 0): void {
    const rows = this.#output.isTTY ? wrapRow(row, this.columns, hang) : [row];
    for (const each of rows) this.line(each);
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
