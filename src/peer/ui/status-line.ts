import { sanitiseLine } from '../../protocol/sanitise.js';
import type { PathReport, PeerCard } from '../session/conversation.js';
import { textWidth, truncate } from './cells.js';
import { formatShortSpan, formatSpan } from './format.js';
import { cutRow, type Row, rowWidth, span, type Tone } from './rows.js';
import { isPostQuantum } from './wording.js';

export interface StatusModel {
  peer: PeerCard;
  state: 'connecting' | 'waiting' | 'connected' | 'reconnecting';
  link: PathReport['current'];
  /** The mediator is out of reach: no harm while connected, the reason for waiting otherwise. */
  mediatorLost: boolean;
  /** Messages and other items not yet on the peer's disk. */
  outbox: number;
  /** Seconds that messages live after delivery; 0: they stay. */
  lifetime: number;
}

/** A piece of the status line in its full and its short form. */
interface Piece {
  full: string;
  short: string;
}

/** The line that says with whom one speaks, and how; shortened in steps until it fits. */
export function statusRow(model: StatusModel, width: number): Row {
  const calm = model.state === 'connected';
  const tone: Tone = calm ? 'bar' : 'barWarn';
  const mark = model.peer.verified ? ' ✓' : '';
  const bare = truncate(sanitiseLine(model.peer.name), Math.max(6, Math.floor(width / 3)));
  const name = bare + mark;
  const right = fitPieces(calm ? linkPieces(model) : waitingPieces(model, bare), width - textWidth(name) - 4);
  const left: Row = [span(' ', tone), span(name, calm ? 'barStrong' : tone)];
  const row = cutRow([...left, span(`  ${right}`, tone)], width);
  return [...row, span(' '.repeat(width - rowWidth(row)), tone)];
}

function linkPieces({ peer, link, lifetime }: StatusModel): Piece[] {
  const pieces: Piece[] = [];
  if (link) {
    const secure = isPostQuantum(link.group);
    pieces.push({ full: sanitiseLine(link.path), short: sanitiseLine(link.path) });
    pieces.push(...lifetimePieces(lifetime));
    pieces.push({ full: `${Math.round(link.rttMs)} ms`, short: `${Math.round(link.rttMs)} ms` });
    pieces.push(secure ? { full: 'post-quantum', short: 'PQ' } : { full: 'not post-quantum', short: 'no PQ' });
  }
  if (!peer.verified) pieces.push({ full: 'not verified yet: /verify', short: '' });
  return pieces;
}

/** In front of what matters less on a narrow screen. */
function lifetimePieces(lifetime: number): Piece[] {
  if (lifetime === 0) return [];
  return [{ full: `disappearing after ${formatSpan(lifetime)}`, short: `gone after ${formatShortSpan(lifetime)}` }];
}

function waitingPieces({ state, mediatorLost, outbox, lifetime }: StatusModel, name: string): Piece[] {
  const pieces: Piece[] = [];
  if (mediatorLost) pieces.push({ full: 'the mediator is out of reach, trying again', short: 'no mediator, retrying' });
  else if (state === 'waiting') pieces.push({ full: `waiting for ${name} to come`, short: 'waiting' });
  else if (state === 'reconnecting') pieces.push({ full: 'the link is gone, reconnecting', short: 'reconnecting' });
  else pieces.push({ full: 'connecting', short: 'connecting' });
  if (outbox > 0) pieces.push({ full: `${outbox} to deliver`, short: `${outbox} to go` });
  pieces.push(...lifetimePieces(lifetime));
  return pieces;
}

/** Full forms while they fit; then short forms from the end; then fewer of them. */
function fitPieces(pieces: Piece[], width: number): string {
  for (let shortened = 0; shortened <= pieces.length; shortened += 1) {
    const words = pieces.map((piece, i) => (i >= pieces.length - shortened ? piece.short : piece.full));
    const line = joinWords(words);
    if (textWidth(line) <= width) return line;
  }
  const shorts = pieces.map((piece) => piece.short);
  while (shorts.length > 1 && textWidth(joinWords(shorts)) > width) shorts.pop();
  return truncate(joinWords(shorts), Math.max(0, width));
}

function joinWords(words: string[]): string {
  return words.filter((word) => word !== '').join(' · ');
}
