import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';
import blessed, { type Widgets } from 'blessed';
import { textWidth, toCells } from './cells.js';
import type { Row, Tone } from './rows.js';

/** The screen as blessed keeps it. Its types leave out what is painted on. */
interface PaintedScreen extends Widgets.Screen {
  lines: PaintedLine[];
  olines: PaintedLine[];
  tput: Widgets.Screen['tput'] & { brokenACS: boolean };
  enter(): void;
  leave(): void;
}
interface PaintedBox {
  render(): void;
}
/** Attributes and text of each column. */
type PaintedLine = [number, string][] & { dirty: boolean };

export interface CanvasOptions {
  output: NodeJS.WriteStream;
  colour: boolean;
  /** Whether the terminal knows a middle grey among 256 colours. */
  manyColours: boolean;
}

const DEFAULT_COLOUR = 0x1ff;
const BOLD = 1;
const INVERSE = 8;

const BLESSED_HANDLERS = {
  uncaughtException: '_exceptionHandler',
  SIGTERM: '_sigtermHandler',
  SIGINT: '_sigintHandler',
  SIGQUIT: '_sigquitHandler',
};

const require = createRequire(import.meta.url);

/**
 * A full screen to paint rows on. blessed keeps what the terminal shows and writes only what changed; what a cell is,
 * and how wide, is decided here, for its tables are older than emoji. Its tags and escape sequences are never in play:
 * cells are painted one by one.
 */
export class Canvas {
  readonly #screen: PaintedScreen;
  readonly #attributes: Record<Tone, number>;
  #rows: readonly Row[] = [];

  constructor({ output, colour, manyColours }: CanvasOptions) {
    replaceWidths();
    this.#attributes = attributes(colour, manyColours);
    this.#screen = blessed.screen({
      // Keys are decoded elsewhere; blessed listens to silence.
      input: new PassThrough(),
      output,
      fullUnicode: true,
      forceUnicode: true,
      // Its own copy: it stumbles over the number formats and extensions of newer terminfo files, and what is used
      // of it is the same in every terminal of today.
      terminal: require.resolve('blessed/usr/xterm-256color'),
    } as Widgets.IScreenOptions) as PaintedScreen;
    this.#screen.tput.brokenACS = true;
    const box: PaintedBox = blessed.box({ parent: this.#screen, top: 0, left: 0, width: '100%', height: '100%' });
    // It would exit by itself at signals and crashes; the guard gives the terminal back, and the main decides.
    removeSignalHandlers();
    box.render = () => this.#paint();
  }

  get columns(): number {
    return Number(this.#screen.width);
  }

  get height(): number {
    return Number(this.#screen.height);
  }

  onResize(listener: () => void): void {
    this.#screen.on('resize', listener);
  }

  draw(rows: readonly Row[], cursor: { row: number; column: number }): void {
    this.#rows = rows;
    this.#screen.render();
    this.#screen.program.cup(cursor.row, cursor.column);
    this.#screen.program.showCursor();
  }

  /** Forgets what the terminal shows, so that the next draw() paints all of it. */
  forget(): void {
    this.#screen.alloc();
  }

  enter(): void {
    this.#screen.enter();
  }

  leave(): void {
    this.#screen.leave();
  }

  destroy(): void {
    this.#screen.destroy();
  }

  #paint(): void {
    for (const [y, line] of this.#screen.lines.entries()) {
      const painted = this.#cellsOf(this.#rows[y] ?? [], line.length);
      if (painted.every(([attribute, text], x) => line[x]?.[0] === attribute && line[x]?.[1] === text)) continue;
      // Where a terminal's idea of a width may differ from ours, a partial repaint would leave crumbs.
      const repaintAll = isSteadied(painted) || isSteadied(line);
      for (const [x, cell] of painted.entries()) line[x] = cell;
      line.dirty = true;
      if (repaintAll) for (const old of this.#screen.olines[y] ?? []) old[1] = '\0';
    }
  }

  #cellsOf(row: Row, columns: number): [number, string][] {
    const cells: [number, string][] = [];
    for (const piece of row) {
      const attribute = this.#attributes[piece.tone];
      for (const { text, width } of toCells(piece.text)) {
        if (cells.length + width > columns) break;
        cells.push([attribute, isCertain(text) ? text : steady(text, width, cells.length)]);
        // blessed skips the column after a wide character.
        if (width === 2) cells.push([attribute, ' ']);
      }
    }
    while (cells.length < columns) cells.push([this.#attributes.plain, ' ']);
    return cells;
  }
}

/**
 * Terminals disagree about the width of emoji and combined characters. So the columns are emptied first, and the cursor
 * is put where it must be afterwards: what follows stays in its column whatever the terminal thinks.
 */
function steady(text: string, width: number, column: number): string {
  return `${' '.repeat(width)}\x1b[${column + 1}G${text}\x1b[${column + width + 1}G`;
}

function isSteadied(line: readonly [number, string][]): boolean {
  return line.some(([, text]) => text.includes('\x1b'));
}

/** One code point that all terminals give the same width: no emoji, no symbol that may be drawn as one. */
function isCertain(text: string): boolean {
  const point = text.codePointAt(0) ?? 0;
  if (text.length > String.fromCodePoint(point).length) return false;
  return point < 0x2190 || (point >= 0x2500 && point < 0x25a0) || (point >= 0x2e80 && point < 0x1f000);
}

function removeSignalHandlers(): void {
  const { Screen } = blessed as unknown as { Screen: Record<string, (() => void) | undefined> };
  for (const [event, name] of Object.entries(BLESSED_HANDLERS)) {
    const handler = Screen[name];
    if (handler) process.off(event, handler);
  }
}

function replaceWidths(): void {
  const { unicode } = blessed as unknown as { unicode: { charWidth(text: string | number): number } };
  unicode.charWidth = (text) => {
    if (typeof text === 'number') return textWidth(String.fromCodePoint(text));
    if (text === '\0') return 1;
    const steadied = text.indexOf('\x1b');
    return steadied > 0 ? steadied : textWidth(text);
  };
}

function attributes(colour: boolean, manyColours: boolean): Record<Tone, number> {
  const look = (foreground: number, flags = 0): number =>
    (flags << 18) | ((colour ? foreground : DEFAULT_COLOUR) << 9) | DEFAULT_COLOUR;
  return {
    plain: look(DEFAULT_COLOUR),
    strong: look(DEFAULT_COLOUR, BOLD),
    dim: look(manyColours ? 244 : 8),
    me: look(6, BOLD),
    peer: look(5, BOLD),
    good: look(2),
    warn: look(3),
    bad: look(1),
    bar: look(DEFAULT_COLOUR, INVERSE),
    barStrong: look(DEFAULT_COLOUR, INVERSE | BOLD),
    barWarn: look(3, INVERSE),
    link: look(6),
  };
}
