import type { HistoryLine } from '../session/conversation.js';
import { padStart, textWidth, truncate } from './cells.js';
import { formatClock, receiptSign } from './format.js';
import { type Row, rowWidth, type Span, span, type Tone, wrapRow } from './rows.js';
import type { Lines } from './wording.js';

/** One thing in the transcript: a message, or something that happened. */
export type Entry = MessageEntry | NoteEntry;

export interface MessageEntry {
  kind: 'message';
  id: string;
  from: 'me' | 'peer';
  at: Date;
  /** Sanitised. */
  lines: string[];
  state: HistoryLine['state'];
}

export interface NoteEntry {
  kind: 'note';
  at: Date;
  lines: Lines;
}

/** Below this many columns there is no room for columns: names go into the text, and receipts behind it. */
const WIDE = 60;
const MAX_NAME_WIDTH = 12;
const TIME_WIDTH = 6;
const RECEIPT_WIDTH = 4;

export function lineCount(entry: Entry): number {
  return entry.kind === 'message' ? entry.lines.length : entry.lines.count;
}

/** One line of an entry as rows of at most `width` columns; what is wrapped stays right of the margin. */
export function lineRows(entry: Entry, line: number, width: number, peerName: string): Row[] {
  const margin = width >= WIDE ? wideMargin(entry, line, peerName) : narrowMargin(entry, line);
  const body = width >= WIDE ? plainBody(entry, line) : narrowBody(entry, line, peerName);
  const indent = rowWidth(margin);
  const rows = wrapRow(body, width - indent, entry.kind === 'note' ? entry.lines.hang : 0);
  return rows.map((row, i) => [...(i === 0 ? margin : [blank(indent)]), ...row]);
}

/** A line across the screen with a word in its middle. */
export function ruleRow(word: string, tone: Tone, width: number): Row {
  const label = truncate(` ${word} `, width);
  const left = Math.max(0, Math.floor((width - textWidth(label)) / 2));
  const right = Math.max(0, width - textWidth(label) - left);
  return [span('─'.repeat(left) + label + '─'.repeat(right), tone)];
}

/** Time, receipt and name in columns of their own; only in front of an entry's first line. */
function wideMargin(entry: Entry, line: number, peerName: string): Row {
  const nameWidth = Math.min(MAX_NAME_WIDTH, Math.max(2, textWidth(peerName)));
  if (line > 0) return [blank(TIME_WIDTH + RECEIPT_WIDTH + nameWidth + 2)];
  const sign = entry.kind === 'message' ? receiptOf(entry) : blank(0);
  const name = entry.kind === 'message' ? nameOf(entry, peerName) : span('–', 'dim');
  const gap = RECEIPT_WIDTH - textWidth(sign.text) + nameWidth - textWidth(name.text);
  return [timeOf(entry), sign, blank(gap), name, blank(2)];
}

function narrowMargin(entry: Entry, line: number): Row {
  return [line > 0 ? blank(TIME_WIDTH) : timeOf(entry)];
}

function plainBody(entry: Entry, line: number): Row {
  return entry.kind === 'note' ? entry.lines.line(line) : [span(entry.lines[line] ?? '')];
}

function narrowBody(entry: Entry, line: number, peerName: string): Row {
  const body = plainBody(entry, line);
  if (entry.kind === 'note') return body;
  const front = line === 0 ? [nameOf(entry, peerName), blank(1)] : [];
  const isLast = line === entry.lines.length - 1;
  return [...front, ...body, ...(isLast && entry.from === 'me' ? [blank(1), receiptOf(entry)] : [])];
}

function timeOf(entry: Entry): Span {
  return span(padStart(formatClock(entry.at), TIME_WIDTH - 1).concat(' '), 'dim');
}

function nameOf(entry: MessageEntry, peerName: string): Span {
  return entry.from === 'me' ? span('me', 'me') : span(truncate(peerName, MAX_NAME_WIDTH), 'peer');
}

function receiptOf(entry: MessageEntry): Span {
  return span(receiptSign(entry.state), entry.state === 'read' ? 'good' : 'dim');
}

function blank(width: number): Span {
  return span(' '.repeat(Math.max(0, width)));
}
