import stringWidth from 'string-width';
import { lazily } from './lazily.js';

/** One character as a person counts them (a grapheme cluster) and the terminal columns it takes: 1 or 2. */
export interface Cell {
  text: string;
  width: 1 | 2;
}

/** Combining marks may be stacked without end on one character; past this they only deface the lines above and below. */
const MAX_CODE_POINTS = 16;
/** With what the sanitiser leaves of controls: a peer can send many, and taking text apart properly is slow. */
const PLAIN = /^[ -~\ufffd]*$/;

const segmenter = lazily(() => new Intl.Segmenter('en', { granularity: 'grapheme' }));
/** Many times what any cluster that can be read has. */
const PIECE_LENGTH = 512;
const knownCells = new Map<string, Cell[]>();
const MAX_KNOWN_CELLS = 10_000;

/** Splits text into cells. The text must be sanitised, without newlines: every cell is taken to be visible. */
export function toCells(text: string): Cell[] {
  if (PLAIN.test(text)) return Array.from(text, plainCell);
  const cells: Cell[] = [];
  for (const cluster of clustersOf(text)) cells.push(...cellsOf(cluster));
  return cells;
}

/**
 * Piece by piece: V8 goes through a text in time that grows with the square of its length, and a peer can send long
 * ones. The last cluster of a piece may go on in the next, and is taken there; one longer than a piece is broken.
 */
function* clustersOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    // Not within a pair of surrogates: half of one is a cluster of its own, and would end the one before it.
    const piece = text.slice(start, start + PIECE_LENGTH).replace(/(?!^)[\ud800-\udbff]$/, '');
    const goesOn = start + piece.length < text.length;
    for (const { segment, index } of segmenter().segment(piece)) {
      if (goesOn && index > 0 && index + segment.length === piece.length) break;
      start += segment.length;
      yield segment;
    }
  }
}

export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const cell of toCells(text)) width += cell.width;
  return width;
}

/** The text cut to `width` columns; what is left out at the end is told by an ellipsis. */
export function truncate(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 1) return '';
  return `${takeColumns(toCells(text), width - 1)}…`;
}

/** As truncate, but the middle is left out, so that a name's ending stays in sight. */
export function truncateMiddle(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 3) return truncate(text, width);
  const cells = toCells(text);
  const tail = Math.floor((width - 1) / 2);
  const end = takeColumns(cells.toReversed(), tail, true);
  return `${takeColumns(cells, width - 1 - tail)}…${end}`;
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - textWidth(text)));
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - textWidth(text))) + text;
}

function takeColumns(cells: Cell[], width: number, reversed = false): string {
  let used = 0;
  let taken = '';
  for (const cell of cells) {
    used += cell.width;
    if (used > width) break;
    taken = reversed ? cell.text + taken : taken + cell.text;
  }
  return taken;
}

function plainCell(text: string): Cell {
  return { text, width: 1 };
}

function cellsOf(cluster: string): Cell[] {
  const known = knownCells.get(cluster);
  if (known) return known;
  const cells = measureCluster(cluster);
  if (knownCells.size >= MAX_KNOWN_CELLS) knownCells.clear();
  knownCells.set(cluster, cells);
  return cells;
}

function measureCluster(cluster: string): Cell[] {
  const codePoints = Array.from(cluster).slice(0, MAX_CODE_POINTS);
  const text = codePoints.join('');
  const width = stringWidth(text);
  if (width === 1 || width === 2) return [{ text, width }];
  // A mark with nothing to stand on would slip onto the neighbour, which may be ours.
  if (width === 0) return [{ text: '\ufffd', width: 1 }];
  return codePoints.flatMap((point) => (stringWidth(point) > 0 ? measureCluster(point) : []));
}
