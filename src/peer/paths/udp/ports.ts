import { ALL_PORTS, type PortRange } from './mapping.js';

/** The ports that a counting gateway will give out next, in order. */
export function nextPorts(last: number, step: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => last + step * (at + 1)).filter((port) => port > 0 && port < 65536);
}

/**
 * Every port once, in an order that nobody can foresee: first those of the pool, then all others from 1024 on.
 * @param random a number from 0 up to, and without, `below`
 */
export function* shuffledPorts(pool: PortRange, random: (below: number) => number): Generator<number> {
  yield* shuffled(portsOf(pool), random);
  yield* shuffled(
    portsOf(ALL_PORTS).filter((port) => port < pool.lowest || port > pool.highest),
    random,
  );
}

function portsOf({ lowest, highest }: PortRange): number[] {
  return Array.from({ length: highest - lowest + 1 }, (_, at) => lowest + at);
}

/** Fisher and Yates, as far as it is asked for. */
function* shuffled(ports: number[], random: (below: number) => number): Generator<number> {
  for (let left = ports.length; left > 0; left--) {
    const at = random(left);
    const chosen = ports[at] ?? 0;
    ports[at] = ports[left - 1] ?? 0;
    yield chosen;
  }
}
