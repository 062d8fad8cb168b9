import { sanitiseLine } from '../../protocol/sanitise.js';
import { toCells } from './cells.js';
import type { LineEditor } from './line-editor.js';
import { type Row, span } from './rows.js';

export interface InputView {
  rows: Row[];
  cursor: { row: number; column: number };
}

const PROMPT = '› ';

/**
 * The input as at most `maxRows` rows, the cursor among them. Newlines are shown as signs and take no row of their
 * own, so that a pasted page stays small.
 */
export function inputView(editor: LineEditor, width: number, maxRows: number, placeholder: string): InputView {
  const room = Math.max(2, width - PROMPT.length);
  const rows = [''];
  let used = 0;
  const write = (text: string): void => {
    for (const cell of toCells(showable(text))) {
      if (used + cell.width > room) {
        rows.push('');
        used = 0;
      }
      rows[rows.length - 1] += cell.text;
      used += cell.width;
    }
  };
  write(editor.text.slice(0, editor.cursor));
  // The cursor itself needs a column.
  if (used === room) {
    rows.push('');
    used = 0;
  }
  const cursor = { row: rows.length - 1, column: PROMPT.length + used };
  write(editor.text.slice(editor.cursor));
  return frame(rows, cursor, maxRows, editor.text === '' ? placeholder : '');
}

function frame(rows: string[], cursor: InputView['cursor'], maxRows: number, placeholder: string): InputView {
  const first = Math.max(0, Math.min(cursor.row - maxRows + 1, rows.length - maxRows));
  const last = Math.max(first, cursor.row - maxRows + 1) + maxRows;
  const shown = rows.slice(first, last).map((text, i): Row => {
    const prompt = span(first + i === 0 ? PROMPT : ' '.repeat(PROMPT.length), 'strong');
    return placeholder === '' ? [prompt, span(text)] : [prompt, span(placeholder, 'dim')];
  });
  return { rows: shown, cursor: { row: cursor.row - first, column: cursor.column } };
}

function showable(text: string): string {
  return sanitiseLine(text.replaceAll('\n', '↵').replaceAll('\t', '⇥'));
}
