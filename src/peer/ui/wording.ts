import { errorMessage, UserError } from '../../protocol/errors.js';
import { sanitiseLine } from '../../protocol/sanitise.js';
import type { SessionEvent } from '../session/events.js';
import { padEnd, padStart, textWidth } from './cells.js';
import { COMMANDS } from './commands.js';
import { countOf, formatBytes, formatSpan } from './format.js';
import { type Row, span, type Tone } from './rows.js';
import type { TransferEntry } from './transfer-book.js';

/** Lines made when they are asked for: an offer may list half a million files. */
export interface Lines {
  count: number;
  /** The columns by which what is wrapped goes in. */
  hang?: number;
  /** Ids of messages that it repeats: it goes when one of them disappears. */
  quotes?: string[];
  line(index: number): Row;
}

/** The columns of a list of files that sizes take. */
const SIZE_COLUMN = 10;

export function linesOf(rows: Row[], hang = 0): Lines {
  return { count: rows.length, hang, line: (index) => rows[index] ?? [] };
}

/** `tcp-direct, 12 ms, post-quantum`: what is good to know of a link. */
export function linkWords(link: { path: string; rttMs: number; group: string }): string[] {
  return [
    sanitiseLine(link.path),
    `${Math.round(link.rttMs)} ms`,
    isPostQuantum(link.group) ? 'post-quantum' : 'not post-quantum',
  ];
}

export function isPostQuantum(group: string): boolean {
  return group.toUpperCase().includes('MLKEM');
}

/** How people call a transfer: `photo.png`, `holiday/ (12 files)`, `a.txt and 2 more`. */
export function transferTitle(entry: TransferEntry): string {
  const top = topName(entry.name);
  if (entry.fileCount <= 1) return sanitiseLine(top);
  const oneFolder = top.endsWith('/') && entry.files.every((file) => file.name.startsWith(top));
  return sanitiseLine(
    oneFolder ? `${top} (${countOf(entry.fileCount, 'file')})` : `${top} and ${entry.fileCount - 1} more`,
  );
}

/** An incoming offer in full: every name and size, and what can be done about it. */
export function offerLines(entry: TransferEntry, peerName: string): Lines {
  const whole = `${countOf(entry.fileCount, 'file')}, ${formatBytes(entry.total)}`;
  const head: Row = [span(peerName, 'peer'), span(` offers ${whole}:`, 'warn')];
  const accept = span(`/accept ${entry.number} [FOLDER]`, 'strong');
  const decline = span(`/decline ${entry.number}`, 'strong');
  const foot: Row = [accept, span(' to take it, '), decline, span(' to refuse.')];
  const { files } = entry;
  return {
    count: files.length + 2,
    hang: SIZE_COLUMN + 2,
    line: (index) => {
      if (index === 0) return head;
      const file = files[index - 1];
      return file ? [span(padStart(fileSize(file), SIZE_COLUMN), 'dim'), span(`  ${sanitiseLine(file.name)}`)] : foot;
    },
  };
}

/** What happened, for people; undefined for what is shown in another way or not at all. */
export function eventLines(event: SessionEvent, peerName: string, transfer?: TransferEntry): Lines | undefined {
  const told = tellConnection(event, peerName) ?? (transfer && tellTransfer(event, transfer, peerName));
  if (told) return linesOf([[span(told[0], told[1])]]);
  if (event.event === 'disappearing') return linesOf(disappearingRows(event, peerName));
  if (event.event === 'verified') return linesOf([verifiedRow(event.verified, peerName)]);
  if (event.event === 'succession') return successionLines(event.words, peerName);
  return event.event === 'error' ? problemLines(event.message, event.hint) : undefined;
}

/** What a thief of the old key would be glad of is a quick yes. */
function successionLines(words: string, peerName: string): Lines {
  return linesOf([
    [span(peerName, 'peer'), span(' asks to be known by a new key:', 'warn')],
    [span(`  ${sanitiseLine(words)}`, 'strong')],
    [span('Whoever stole the old key could ask the same, so compare these words by voice first.')],
    [span('/follow', 'strong'), span(' to know only the new key from then on; until you do, the old one stays.')],
  ]);
}

export function problemLines(message: string, hint: string): Lines {
  const rows: Row[] = [[span(capitalise(sanitiseLine(message)), 'bad')]];
  if (hint !== '') rows.push([span(capitalise(sanitiseLine(hint)))]);
  return linesOf(rows);
}

export function failureLines(error: unknown): Lines {
  return error instanceof UserError ? problemLines(error.message, error.hint) : problemLines(errorMessage(error), '');
}

export function helpLines(): Lines {
  const width = Math.max(...COMMANDS.map((command) => textWidth(command.usage))) + 2;
  const rows = COMMANDS.map(({ usage, meaning }) => [span(padEnd(usage, width), 'strong'), span(meaning)]);
  return linesOf(rows, width);
}

function tellConnection(event: SessionEvent, peerName: string): [string, Tone] | undefined {
  switch (event.event) {
    case 'waiting':
      return [`Waiting for ${peerName}. Nothing that is sent meanwhile is lost.`, 'dim'];
    case 'offline':
      return [`The mediator is out of reach (${sanitiseLine(event.reason)}). Trying again.`, 'warn'];
    case 'connected':
      return [`Connected to ${peerName}: ${linkWords(event).join(', ')}.`, 'good'];
    case 'path':
      return [`Now by ${sanitiseLine(event.path)}: ${sanitiseLine(event.why)}.`, 'dim'];
    case 'disconnected':
      return [`The link is gone (${sanitiseLine(event.reason)}). Looking for ${peerName} again.`, 'warn'];
    case 'succeeded':
      return event.whose === 'peer'
        ? [`From now on ${peerName} is known here by the new key, which is not verified yet: /verify.`, 'good']
        : [`${peerName} knows you by your new key now.`, 'good'];
    default:
      return undefined;
  }
}

/** How to answer a proposal. */
export const ANSWERS: Row = [
  span('/disappear yes', 'strong'),
  span(' agrees, '),
  span('/disappear no', 'strong'),
  span(' does not.'),
];

function disappearingRows(event: SessionEvent & { event: 'disappearing' }, peerName: string): Row[] {
  const { what, by, seconds } = event;
  const when = seconds === 0 ? 'stay' : `disappear ${formatSpan(seconds)} after delivery, on both sides`;
  if (what === 'agreed') {
    const courtesy = 'That is a courtesy: nobody can make the other side forget.';
    const rows: Row[] = [[span(`Agreed: messages written from now on ${when}.`, 'good')]];
    return seconds === 0 ? rows : [...rows, [span(courtesy, 'dim')]];
  }
  if (what === 'refused') return [[span(`${by === 'me' ? 'You' : peerName} did not agree. Nothing changes.`, 'warn')]];
  if (by === 'peer') return [[span(`${peerName} proposes that messages ${when}.`, 'warn')], ANSWERS];
  return [[span(`Proposed that messages ${when}. ${peerName} has to agree.`, 'dim')]];
}

function verifiedRow(verified: boolean, peerName: string): Row {
  return verified
    ? [span(`${peerName}'s key is verified: you have compared the words.`, 'good')]
    : [span(`${peerName}'s key does not count as verified any more.`, 'warn')];
}

function tellTransfer(event: SessionEvent, entry: TransferEntry, peerName: string): [string, Tone] | undefined {
  // Long to find out for an offer of many files, each of which has events of its own.
  if (event.event === 'file' || event.event === 'progress') return undefined;
  const title = transferTitle(entry);
  const mine = entry.direction === 'send';
  switch (event.event) {
    case 'offered':
      return [`Offered to ${peerName}: ${title}, ${formatBytes(entry.total)}.`, 'dim'];
    case 'accepted':
      return [mine ? `${peerName} takes ${title}.` : `Receiving ${title}${whereTo(entry)}.`, 'dim'];
    case 'declined':
      return [`${mine ? peerName : 'You'} declined ${title}${because(event.reason)}.`, mine ? 'warn' : 'dim'];
    case 'cancelled':
      if (event.skipped) return [withoutWords(entry, title, peerName, event.skipped), 'warn'];
      // With a reason of our own it was not the person who did.
      if (event.by === 'me' && event.reason) return [`Ended the transfer of ${title}.`, 'warn'];
      return [`${event.by === 'me' ? 'You' : peerName} cancelled ${title}${because(event.reason)}.`, 'warn'];
    case 'transferred':
      return [mine ? `${peerName} has ${title}, ${formatBytes(entry.total)}.` : receivedWords(entry, title), 'good'];
    default:
      return undefined;
  }
}

function withoutWords(entry: TransferEntry, title: string, peerName: string, skipped: number): string {
  const but = `but for ${countOf(skipped, 'file')} left out`;
  return entry.direction === 'send'
    ? `${peerName} has ${title}, ${but}.`
    : `Received ${title}${whereTo(entry)}, ${but}.`;
}

function receivedWords(entry: TransferEntry, title: string): string {
  if (entry.fileCount === 1 && entry.lastPath !== undefined) return `Received ${sanitiseLine(entry.lastPath)}.`;
  return `Received ${title}${whereTo(entry)}.`;
}

function whereTo(entry: TransferEntry): string {
  return entry.into === undefined ? '' : ` into ${sanitiseLine(entry.into)}`;
}

function because(reason: string | undefined): string {
  return reason ? ` (${sanitiseLine(reason)})` : '';
}

function fileSize(file: { name: string; size: number }): string {
  return file.name.endsWith('/') ? 'folder' : formatBytes(file.size);
}

function topName(name: string): string {
  const slash = name.indexOf('/');
  return slash < 0 ? name : name.slice(0, slash + 1);
}

function capitalise(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
