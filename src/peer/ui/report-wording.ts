import { sanitiseLine } from '../../protocol/sanitise.js';
import type { HistoryLine, PathReport, Verification } from '../session/conversation.js';
import type { DisappearingStatus } from '../session/events.js';
import { padEnd, textWidth } from './cells.js';
import { countOf, formatDateAndTime, formatSpan } from './format.js';
import { type Row, span } from './rows.js';
import { ANSWERS, type Lines, linesOf, linkWords } from './wording.js';

const WORDS_PER_LINE = 4;
const WORDS_INDENT = 2;

export function verificationLines({ keys }: Verification, peerName: string, verified: boolean): Lines {
  const rows: Row[] = [[span('Read these words to each other, by telephone or face to face:', 'strong')]];
  for (const { whose, words } of keys) {
    const width = Math.max(...words.map(textWidth));
    rows.push([span(whose === 'me' ? 'Your key' : `${peerName}'s key`, whose)]);
    for (let i = 0; i < words.length; i += WORDS_PER_LINE) {
      const line = words.slice(i, i + WORDS_PER_LINE).map((word) => padEnd(word, width));
      rows.push([span(' '.repeat(WORDS_INDENT) + line.join('  '))]);
    }
  }
  rows.push([span('Both screens show the same lines in the same order, or somebody stands between you.', 'dim')]);
  rows.push(
    verified
      ? [span('You have verified them. ', 'good'), span('/verify no', 'strong'), span(' takes that back.')]
      : [span('If they are the same: '), span('/verify yes', 'strong')],
  );
  return linesOf(rows, WORDS_INDENT);
}

export function disappearingLines({ seconds, proposed, asked }: DisappearingStatus, peerName: string): Lines {
  const rows: Row[] = [
    [span(seconds === 0 ? 'Messages stay.' : `Messages disappear ${formatSpan(seconds)} after delivery.`, 'strong')],
  ];
  const wish = (each: number) => (each === 0 ? 'that they stay' : `that they disappear after ${formatSpan(each)}`);
  if (proposed !== null) rows.push([span(`You have proposed ${wish(proposed)}; ${peerName} has not answered yet.`)]);
  if (asked !== null) rows.push([span(`${peerName} proposes ${wish(asked)}: `), ...ANSWERS]);
  if (proposed === null && asked === null)
    rows.push([
      span('/disappear 1h', 'strong'),
      span(' proposes a time, '),
      span('/disappear off', 'strong'),
      span(' that they stay.'),
    ]);
  return linesOf(rows);
}

export function pathLines({ current, attempts }: PathReport): Lines {
  const rows: Row[] = [];
  if (current) {
    const [path = '', ...rest] = linkWords(current);
    rows.push([span(path, 'strong'), span(` to ${sanitiseLine(current.remote)}`)]);
    rows.push([span(`  ${rest.join(', ')} (${sanitiseLine(current.group)})`)]);
    rows.push([span(`  ${sanitiseLine(current.why)}`)]);
  } else {
    rows.push([span('Not connected just now.', 'warn')]);
  }
  if (attempts.length > 0) rows.push([span('Tried since you were last introduced:', 'dim')]);
  for (const { path, remote, outcome } of attempts) {
    const where = `  ${padEnd(sanitiseLine(path), 10)}  ${sanitiseLine(remote)}  `;
    rows.push([span(where, 'dim'), span(sanitiseLine(outcome))]);
  }
  return linesOf(rows, 2);
}

export function searchLines(found: HistoryLine[], text: string, peerName: string): Lines {
  const wanted = `“${sanitiseLine(text)}”`;
  if (found.length === 0) return linesOf([[span(`Nothing found for ${wanted}.`, 'dim')]]);
  const rows: Row[] = [[span(`${countOf(found.length, 'message')} with ${wanted}:`, 'strong')]];
  for (const line of found) {
    const who = line.from === 'me' ? span('me', 'me') : span(peerName, 'peer');
    const oneLine = sanitiseLine(line.text.replace(/\s*\r?\n\s*/g, ' ↵ '));
    rows.push([span(`${formatDateAndTime(new Date(line.at))} `, 'dim'), who, span(`  ${oneLine}`)]);
  }
  return { ...linesOf(rows, 2), quotes: found.map(({ id }) => id) };
}
