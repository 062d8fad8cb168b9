/** Said by what needs more room than is left, and goes on when there is more. */
export const FULL = Symbol('full');

/** One step of some work: what it has found, or null if nothing yet. */
export type Step<Value> = Value | null | typeof FULL;

export interface Turn<Value> {
  found: Value[];
  /** There is nothing more. */
  ended: boolean;
}

/** Everything that a thread does is done in turns of about this, so that all who use it are served, and can leave. */
const TURN_MS = 10;

/** Does some of the work: until it is done, full, or has had its turn. */
export function takeTurn<Value>(work: Iterator<Step<Value>, void>): Turn<Value> {
  const found: Value[] = [];
  const endAt = performance.now() + TURN_MS;
  do {
    const { done, value } = work.next();
    if (done) return { found, ended: true };
    if (value === FULL) break;
    if (value !== null) found.push(value as Value);
  } while (performance.now() < endAt);
  return { found, ended: false };
}
