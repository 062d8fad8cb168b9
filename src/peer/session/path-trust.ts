import type { PathKind } from '../../protocol/messages.js';

/** A link that lived this long was worth moving to. */
const GOOD_LIFE_MS = 60_000;
const FIRST_DISTRUST_MS = 15_000;
const LONGEST_DISTRUST_MS = 10 * 60_000;
/** More than lies between the best path and the relay. */
const PENALTY = 100;

/**
 * Hysteresis: a kind of path whose links keep dying young is not moved to for a while, each time for longer, so that the
 * session does not flap. It is still used where there is no other. Pure: the clock is an argument, in milliseconds.
 */
export class PathTrust {
  readonly #distrusted = new Map<PathKind, { strikes: number; untilMs: number }>();

  /** The session's link over `path` was lost, not ended. */
  lost(path: PathKind, livedMs: number, nowMs: number): void {
    if (livedMs >= GOOD_LIFE_MS) {
      this.#distrusted.delete(path);
      return;
    }
    const strikes = (this.#distrusted.get(path)?.strikes ?? 0) + 1;
    const ms = Math.min(FIRST_DISTRUST_MS * 2 ** (strikes - 1), LONGEST_DISTRUST_MS);
    this.#distrusted.set(path, { strikes, untilMs: nowMs + ms });
  }

  /** To be added to the preference of a new link: 0 for a path that is trusted. */
  penalty(path: PathKind, nowMs: number): number {
    const distrusted = this.#distrusted.get(path);
    return distrusted && nowMs < distrusted.untilMs ? PENALTY : 0;
  }
}
