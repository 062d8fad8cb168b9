import type { RunningDigest } from './running-digest.js';

/** At one for each chunk this reaches back further than a link's window does. */
export const REMEMBERED = 1024;

/** Remembers running digests of what was sent last, so that going back a little needs no reading from the start. */
export class RecentDigests {
  #kept: { entry: number; digest: RunningDigest }[] = [];

  keep(entry: number, digest: RunningDigest): void {
    this.#kept.push({ entry, digest: digest.copy() });
    if (this.#kept.length > REMEMBERED) this.#kept.shift();
  }

  /** A copy of the longest one of `entry` that covers no more than `length` bytes. */
  longestWithin(entry: number, length: number): RunningDigest | null {
    let longest: RunningDigest | null = null;
    for (const kept of this.#kept) {
      const fits = kept.entry === entry && kept.digest.length <= length;
      if (fits && kept.digest.length > (longest?.length ?? 0)) longest = kept.digest;
    }
    return longest?.copy() ?? null;
  }

  clear(): void {
    this.#kept = [];
  }
}
