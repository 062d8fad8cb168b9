import { sanitise, sanitiseLine } from '../../protocol/sanitise.js';
import type { PastEntry, PastTransfer } from '../session/journal/journal.js';
import { padEnd, textWidth, truncate } from './cells.js';
import { countOf, formatBytes, formatDateAndTime } from './format.js';
import { type Row, type Span, span } from './rows.js';

const TIME_WIDTH = 17;
const MAX_NAME_WIDTH = 16;

/** One entry of the history as lines for a pager or a file: each begins with its time and with who it is from. */
export function pastRows(entry: PastEntry, peerName: string): Row[] {
  const name = truncate(sanitiseLine(peerName), MAX_NAME_WIDTH);
  const nameWidth = Math.max(2, textWidth(name));
  const at = entry.at === null ? '' : formatDateAndTime(new Date(entry.at));
  const who = entry.from === 'me' ? span(padEnd('me', nameWidth), 'me') : span(padEnd(name, nameWidth), 'peer');
  const margin: Row = [span(`${padEnd(at, TIME_WIDTH)}  `, 'dim'), who, span('  ')];
  // Set in, so that no message can pass for another entry.
  const blank: Row = [span(' '.repeat(TIME_WIDTH + nameWidth + 4))];
  return bodyOf(entry, name).map((row, i) => [...(i === 0 ? margin : blank), ...row]);
}

function bodyOf(entry: PastEntry, peerName: string): Row[] {
  if (entry.kind === 'transfer') return [transferRow(entry, peerName)];
  const rows: Row[] = sanitise(entry.text)
    .split('\n')
    .map((line) => [span(line)]);
  if (entry.state === 'sent') rows.at(-1)?.push(span('  (not delivered yet)', 'dim'));
  return rows;
}

function transferRow(transfer: PastTransfer, peerName: string): Row {
  const names = transfer.names.map(sanitiseLine).join(', ');
  const more =
    transfer.names.length < transfer.entries ? `, ${countOf(transfer.entries, 'entry', 'entries')} in all` : '';
  const into = transfer.into === null ? '' : ` into ${sanitiseLine(transfer.into)}`;
  return [
    span(names, 'strong'),
    note(`  (${formatBytes(transfer.bytes)}${more}; ${fateOf(transfer, peerName)}${into})`),
  ];
}

function fateOf({ from, state }: PastTransfer, peerName: string): string {
  const other = from === 'me' ? peerName : 'you';
  switch (state) {
    case 'offered':
      return 'offered';
    case 'accepted':
      return 'on its way';
    case 'transferred':
      return from === 'me' ? 'sent' : 'received';
    case 'declined':
      return `${other} declined`;
    case 'cancelled':
      return 'cancelled';
  }
}

function note(text: string): Span {
  return span(text, 'dim');
}
