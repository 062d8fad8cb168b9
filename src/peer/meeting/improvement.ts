import type { PathKind } from '../../protocol/messages.js';

/** Longer than a race takes, so that none is cut short by the next. */
const FIRST_MS = 15_000;
const LONGEST_MS = 3 * 60_000;
/** A direct path that carried the session for this long was worth finding. */
const GOOD_LIFE_MS = 60_000;

/**
 * When a session looks for a better path than the one it is on: soon after it came to the relay, and ever more seldom
 * while that comes to nothing; now and then on other paths. Direct paths that soon die again make it no more eager.
 */
export class Improvement {
  readonly #look: () => void;
  #path: PathKind | null = null;
  #usedAtMs = 0;
  #waitMs = FIRST_MS;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(look: () => void) {
    this.#look = look;
  }

  /** The session is on this path now. */
  uses(path: PathKind): void {
    const now = performance.now();
    const livedLong = now - this.#usedAtMs > GOOD_LIFE_MS;
    if (this.#path !== null && this.#path !== 'relay' && livedLong) this.#waitMs = FIRST_MS;
    this.#path = path;
    this.#usedAtMs = now;
    this.#schedule();
  }

  /** Every path is being tried now, for whatever reason. */
  looking(): void {
    if (this.#path === null) return;
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_MS);
    this.#schedule();
  }

  /** What was found out on the network before says nothing any more. */
  startAnew(): void {
    this.#waitMs = FIRST_MS;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#path === null || this.#path === 'tcp-direct') return;
    const ms = this.#path === 'relay' ? this.#waitMs : LONGEST_MS;
    this.#timer = setTimeout(() => {
      this.#look();
      this.#schedule();
    }, ms);
  }
}
