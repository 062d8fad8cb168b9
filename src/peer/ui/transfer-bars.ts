import { sanitiseLine } from '../../protocol/sanitise.js';
import { padEnd, textWidth, truncateMiddle } from './cells.js';
import {
  countOf,
  formatBytes,
  formatDuration,
  formatPart,
  formatPercent,
  formatRate,
  formatWaiting,
} from './format.js';
import { type Row, span } from './rows.js';
import type { TransferEntry } from './transfer-book.js';
import { transferTitle } from './wording.js';

const WIDE = 60;

/** A row for each transfer, at most `maxRows`; the last row tells how many more there are. */
export function transferRows(entries: readonly TransferEntry[], width: number, maxRows: number): Row[] {
  if (maxRows < 1) return [];
  const shown = entries.length <= maxRows ? entries : entries.slice(0, maxRows - 1);
  const rows = shown.map((entry) => (entry.state === 'accepted' ? movingRow(entry, width) : offeredRow(entry, width)));
  const hidden = entries.length - shown.length;
  if (hidden > 0) rows.push([span(` and ${countOf(hidden, 'more transfer')}`, 'dim')]);
  return rows;
}

/** `████░░░░`; full only when all is there. */
export function bar(part: number, width: number): string {
  const filled = Math.floor(Math.max(0, Math.min(1, part)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

function movingRow(entry: TransferEntry, width: number): Row {
  const { bytes, total, bytesPerSecond, etaSeconds } = entry.progress ?? {
    bytes: 0,
    total: entry.total,
    bytesPerSecond: 0,
    etaSeconds: null,
  };
  const left = etaSeconds === null ? '' : formatDuration(etaSeconds);
  const waiting = entry.waits ? formatWaiting(width) : null;
  const percent = formatPercent(bytes, total).padStart(4);
  const wide = width >= WIDE;
  const numbers = wide
    ? `${percent}  ${formatPart(bytes, total)}  ${waiting ?? `${formatRate(bytesPerSecond)}  ${left}`}`
    : `${percent} ${waiting ?? left}`;
  const barWidth = wide ? Math.floor(width / 6) : Math.max(4, Math.floor(width / 5));
  const nameWidth = Math.max(4, width - 5 - barWidth - 1 - textWidth(numbers) - 1);
  const name = padEnd(truncateMiddle(movingName(entry), nameWidth), nameWidth);
  return [
    head(entry),
    span(`${name} `),
    span(bar(total > 0 ? bytes / total : 1, barWidth), 'good'),
    span(` ${numbers}`),
  ];
}

function offeredRow(entry: TransferEntry, width: number): Row {
  const { number } = entry;
  const incoming = entry.direction === 'receive';
  const wide = width >= WIDE;
  const todo = incoming
    ? `/accept ${number}${wide ? ` or /decline ${number}` : ''}`
    : wide
      ? 'waiting for an answer'
      : 'offered';
  const size = wide ? `, ${formatBytes(entry.total)}` : '';
  const nameWidth = Math.max(4, width - 5 - textWidth(todo) - textWidth(size) - 3);
  const name = truncateMiddle(transferTitle(entry), nameWidth) + size;
  return [head(entry), span(`${name}  `), span(todo, incoming ? 'warn' : 'dim')];
}

function head(entry: TransferEntry): { text: string; tone: 'me' | 'peer' } {
  const arrow = entry.direction === 'send' ? '↑' : '↓';
  return { text: padEnd(` ${entry.number}${arrow} `, 5), tone: entry.direction === 'send' ? 'me' : 'peer' };
}

/** Of several files, the one on its way now. */
function movingName(entry: TransferEntry): string {
  return entry.fileCount > 1 && entry.progress ? sanitiseLine(entry.progress.name) : transferTitle(entry);
}
