import { type Cell, textWidth, toCells } from './cells.js';

/** What a piece of text is, not how it looks: each face turns it into colours of its own, or into none. */
export type Tone =
  | 'plain'
  | 'strong'
  | 'dim'
  | 'me'
  | 'peer'
  | 'good'
  | 'warn'
  | 'bad'
  | 'bar'
  | 'barStrong'
  | 'barWarn'
  | 'link';

export interface Span {
  text: string;
  tone: Tone;
}

/** Text on one line, in pieces. Everything in it is sanitised. */
export type Row = Span[];

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone };
}

export function rowWidth(row: Row): number {
  return row.reduce((width, piece) => width + textWidth(piece.text), 0);
}

interface TonedCell extends Cell {
  tone: Tone;
}

/**
 * Breaks a row into rows of at most `width` columns: between words where it can, inside a word where it must. The
 * spaces at a break are dropped. Rows after the first go in by `hang` columns, or by less where that leaves no room.
 */
export function wrapRow(row: Row, width: number, hang = 0): Row[] {
  if (rowWidth(row) <= width) return [row];
  const cells = row.flatMap((piece) => toCells(piece.text).map((cell): TonedCell => ({ ...cell, tone: piece.tone })));
  const indent = hang > width / 3 ? Math.min(2, hang) : hang;
  const rows: Row[] = [];
  for (let start = 0; start < cells.length; ) {
    const first = rows.length === 0;
    const end = findBreak(cells, start, Math.max(2, first ? width : width - indent));
    const text = joinCells(cells.slice(start, end));
    rows.push(first || indent === 0 ? text : [span(' '.repeat(indent)), ...text]);
    start = end;
    while (start < cells.length && cells[start]?.text === ' ') start += 1;
  }
  return rows;
}

/** The row without what is beyond `width` columns. */
export function cutRow(row: Row, width: number): Row {
  let room = width;
  return row.map(({ text, tone }) => {
    let kept = '';
    for (const cell of toCells(text)) {
      room -= cell.width;
      if (room < 0) break;
      kept += cell.text;
    }
    return { text: kept, tone };
  });
}

/** Where the row that begins at `start` ends: the index after its last cell. */
function findBreak(cells: TonedCell[], start: number, width: number): number {
  let used = 0;
  let lastSpace = -1;
  let i = start;
  for (let cell = cells[i]; cell; cell = cells[++i]) {
    used += cell.width;
    if (cell.text === ' ') lastSpace = i;
    if (used > width) return lastSpace > start ? lastSpace : i;
  }
  return i;
}

function joinCells(cells: TonedCell[]): Row {
  const row: Row = [];
  for (const cell of cells) {
    const last = row.at(-1);
    if (last?.tone === cell.tone) last.text += cell.text;
    else row.push({ text: cell.text, tone: cell.tone });
  }
  return row;
}
