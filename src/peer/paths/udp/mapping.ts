/**
 * How a gateway chooses the port from which a peer's packets seem to come (RFC 4787, section 4.1, calls it mapping):
 * one for all destinations, or a new one for each, by counting or at random.
 */
export type Mapping =
  | { kind: 'unknown' }
  | { kind: 'fixed' }
  | { kind: 'sequential'; step: number; last: number }
  | { kind: 'random'; pool: PortRange };

/** Both included. */
export interface PortRange {
  lowest: number;
  highest: number;
}

export const ALL_PORTS: PortRange = { lowest: 1024, highest: 65535 };

/** Others behind the same gateway take ports too, so that a step may be a few times its size. */
const LONGEST_STEP = 16;
/** Of the differences, at least, that must look like steps: others' traffic, a counter that starts anew. */
const MOST = 0.75;
/** With fewer, the ports seen say nothing of the range that they come from. */
const SAMPLES_OF_A_POOL = 12;
const WIDEST_POOL = 16_384;

/** @param seen the ports behind which probes were seen, in the order of probing */
export function classifyMapping(seen: readonly number[]): Mapping {
  const [first] = seen;
  const last = seen.at(-1);
  if (first === undefined || last === undefined || seen.length === 1) return { kind: 'unknown' };
  if (seen.every((port) => port === first)) return { kind: 'fixed' };
  const step = stepOf(seen);
  return step === null ? { kind: 'random', pool: poolOf(seen) } : { kind: 'sequential', step, last };
}

/** Ports are counted up or down; the step is the smallest of the differences that go the usual way. Null: no step. */
function stepOf(seen: readonly number[]): number | null {
  // No difference: a gateway that chooses for each address, and not for each of its ports, gave out nothing between.
  const differences = seen.slice(1).map((port, at) => port - (seen[at] ?? port));
  const changes = differences.filter((difference) => difference !== 0);
  for (const way of [1, -1]) {
    const steps = changes.map((d) => d * way).filter((d) => d > 0 && d <= LONGEST_STEP);
    if (steps.length >= changes.length * MOST) return way * Math.min(...steps);
  }
  return null;
}

/** A gateway may use a part of all ports: then the ports seen lie close together, and the others not far beyond. */
function poolOf(seen: readonly number[]): PortRange {
  const lowest = Math.min(...seen);
  const highest = Math.max(...seen);
  const margin = Math.ceil((2 * (highest - lowest)) / seen.length);
  const width = highest - lowest + 2 * margin;
  if (seen.length < SAMPLES_OF_A_POOL || width > WIDEST_POOL) return ALL_PORTS;
  return { lowest: Math.max(1, lowest - margin), highest: Math.min(65535, highest + margin) };
}

/** For people. */
export function describeMapping({ kind }: Mapping): string {
  return { unknown: 'unknown', fixed: 'one for all', sequential: 'counted', random: 'random' }[kind];
}

export function widthOf({ lowest, highest }: PortRange): number {
  return highest - lowest + 1;
}
