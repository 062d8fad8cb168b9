import type { Role } from '../../../protocol/transcripts.js';
import { type Mapping, type PortRange, widthOf } from './mapping.js';
import { nextPorts } from './ports.js';

/**
 * What one side does, and when, counted from its start. Both sides plan for themselves from what they know of both
 * gateways, so their plans fit each other.
 */
export type Move = { atMs: number } & (
  | { kind: 'plain' }
  /** The peer's gateway counts: aim at the ports that it will give out next. */
  | { kind: 'predict'; ports: number[] }
  /** Both gateways count: one packet to each port, in this order, so that both counts go in step. */
  | { kind: 'walk'; ports: number[] }
  /** The birthday's easy side: aim at the peer's ports, one after the other. */
  | { kind: 'spray'; pool: PortRange }
  /** The birthday's hard side: many sockets, each with a port of the gateway, wait to be found. */
  | { kind: 'many' }
  /** Both gateways choose anew each time, from few ports: many sockets, each aiming at many ports. */
  | { kind: 'cross'; pool: PortRange }
);

/** Plain punching is over in a few round trips where it works at all. */
const GUESS_AFTER_MS = 300;
/** Prediction may fail: others behind the gateway take ports too. */
const SPRAY_AFTER_PREDICTION_MS = 2_500;
/** Ports that others may take between the probes and the punch, and some. */
const PREDICTED = 24;
/** For a walk, packets that try one offset, and the offsets tried. */
const IN_STEP = 8;
const OFFSETS = 4;
/** Each side tries 4,000: of so many pairs of ports they find one in 24 cases of 25. */
const MOST_PORT_PAIRS = 5_000_000;
/** How far a counting gateway gets while being crossed. */
const COUNTED = 2_000;

export function planMoves(mine: Mapping, theirs: Mapping, role: Role): Move[] {
  const plain: Move = { kind: 'plain', atMs: 0 };
  // Where the mediator's answers do not come through, hardly anything will.
  if (mine.kind === 'unknown' || theirs.kind === 'unknown') return [plain];
  if (!isHard(theirs)) return isHard(mine) ? [plain, { kind: 'many', atMs: sprayAfter(mine) }] : [plain];
  if (!isHard(mine)) return [...aimed(theirs), { kind: 'spray', pool: poolOf(theirs), atMs: sprayAfter(theirs) }];

  const bothCount = mine.kind === 'sequential' && theirs.kind === 'sequential';
  const moves: Move[] = bothCount
    ? [
        { kind: 'walk', ports: walkedPorts(theirs.last, theirs.step, role), atMs: 0 },
        { ...plain, atMs: GUESS_AFTER_MS },
      ]
    : [plain];
  const pool = poolOf(theirs);
  if (widthOf(pool) * widthOf(poolOf(mine)) <= MOST_PORT_PAIRS) {
    moves.push({ kind: 'cross', pool, atMs: bothCount ? SPRAY_AFTER_PREDICTION_MS : GUESS_AFTER_MS });
  }
  return moves;
}

type Hard = Extract<Mapping, { kind: 'sequential' | 'random' }>;

/** It is not known where the next packets through this gateway will come from. */
function isHard(mapping: Mapping): mapping is Hard {
  return mapping.kind === 'sequential' || mapping.kind === 'random';
}

function aimed(theirs: Hard): Move[] {
  const plain: Move = { kind: 'plain', atMs: 0 };
  if (theirs.kind === 'random') return [plain];
  return [{ kind: 'predict', ports: nextPorts(theirs.last, theirs.step, PREDICTED), atMs: 0 }, plain];
}

function sprayAfter(hard: Hard): number {
  return hard.kind === 'sequential' ? SPRAY_AFTER_PREDICTION_MS : GUESS_AFTER_MS;
}

function poolOf(mapping: Hard): PortRange {
  if (mapping.kind === 'random') return mapping.pool;
  const ahead = mapping.last + mapping.step * COUNTED;
  const clip = (port: number) => Math.max(1, Math.min(65535, port));
  return { lowest: clip(Math.min(mapping.last, ahead)), highest: clip(Math.max(mapping.last, ahead)) };
}

/**
 * The k-th packet of each side goes to the k-th port that the other's gateway will give out. If others have taken ports
 * meanwhile, the two counts are out of step by as many: so the client tries a few offsets, one after the other.
 */
function walkedPorts(last: number, step: number, role: Role): number[] {
  const ports = nextPorts(last, step, IN_STEP * OFFSETS + OFFSETS);
  if (role === 'server') return ports.slice(0, IN_STEP * OFFSETS);
  return Array.from({ length: IN_STEP * OFFSETS }, (_, at) => ports[at + Math.floor(at / IN_STEP)]).filter(
    (port) => port !== undefined,
  );
}
