import { truncate } from './cells.js';
import { countOf } from './format.js';
import { inputView } from './input-rows.js';
import type { LineEditor } from './line-editor.js';
import { cutRow, type Row, rowWidth, span, wrapRow } from './rows.js';
import { type StatusModel, statusRow } from './status-line.js';
import type { Transcript } from './transcript.js';
import { transferRows } from './transfer-bars.js';
import type { TransferEntry } from './transfer-book.js';

export interface ScreenModel {
  status: StatusModel;
  transcript: Transcript;
  /** Rows between the bottom of the view and the bottom of the transcript. */
  offset: number;
  /** Messages that came in while the bottom was out of sight. */
  newBelow: number;
  transfers: readonly TransferEntry[];
  editor: LineEditor;
  /** What Tab could make of the input. */
  choices: readonly string[];
  peerName: string;
}

export interface ScreenView {
  /** Exactly as many as the screen has. */
  rows: Row[];
  cursor: { row: number; column: number };
  offset: number;
  /** Rows that the transcript got: the length of a page. */
  page: number;
}

const MAX_INPUT_ROWS = 6;
const MAX_TRANSFER_ROWS = 5;

/** Everything that the screen shows, top to bottom: status, transcript, a rule, transfers, choices, input. */
export function viewScreen(model: ScreenModel, columns: number, height: number): ScreenView {
  const placeholder = truncate(`Write to ${model.peerName}, or /help`, columns - 2);
  const input = inputView(model.editor, columns, share(height, 4, MAX_INPUT_ROWS), placeholder);
  const choices = choiceRows(model.choices, columns, share(height, 4, MAX_INPUT_ROWS));
  const transfers = transferRows(model.transfers, columns, share(height, 5, MAX_TRANSFER_ROWS));
  const below = [ruleRow(model, columns), ...transfers, ...choices, ...input.rows];
  const page = Math.max(1, height - 1 - below.length);
  const transcript = model.transcript.view(columns, page, model.offset);
  const empty: Row[] = Array.from({ length: page - transcript.rows.length }, () => []);
  const all = [statusRow(model.status, columns), ...empty, ...transcript.rows, ...below];
  // On a screen of a few rows the upper parts give way to the input.
  const rows = all.slice(Math.max(0, all.length - height)).map((row) => cutRow(row, columns));
  const cursorRow = rows.length - input.rows.length + input.cursor.row;
  return { rows, cursor: { row: cursorRow, column: input.cursor.column }, offset: transcript.offset, page };
}

function share(height: number, part: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(height / part)));
}

/** The line below the transcript, which also says that there is more below what one sees. */
function ruleRow({ offset, newBelow }: ScreenModel, columns: number): Row {
  if (offset === 0) return [span('─'.repeat(columns), 'dim')];
  const label = newBelow > 0 ? ` ↓ ${countOf(newBelow, 'new message')} below ` : ' ↓ more below ';
  const how = columns >= 60 ? '(PageDown, or Escape for the end) ' : '';
  const row: Row = [span('──', 'dim'), span(label, newBelow > 0 ? 'warn' : 'dim'), span(how, 'dim')];
  return [...row, span('─'.repeat(Math.max(0, columns - rowWidth(row))), 'dim')];
}

function choiceRows(choices: readonly string[], columns: number, maxRows: number): Row[] {
  if (choices.length === 0) return [];
  const rows = wrapRow([span(choices.join('  '), 'link')], columns);
  if (rows.length <= maxRows) return rows;
  return [...rows.slice(0, maxRows - 1), [span(`… ${countOf(choices.length, 'choice')} in all`, 'dim')]];
}
