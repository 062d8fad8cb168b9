/** Trouble that has not come back for so long is news again. */
const QUIET_MS = 60_000;

/**
 * What goes wrong again with every try, as on a full disk, is told once, and once more if it comes back after it seemed
 * to be over. Pure: the clock is an argument, in milliseconds.
 */
export class Troubles {
  readonly #last = new Map<string, { sentence: string; atMs: number }>();

  /** @param about what the sentence is about, such as a transfer; each has one trouble at a time */
  isNews(about: string, sentence: string, nowMs: number): boolean {
    const last = this.#last.get(about);
    this.#last.set(about, { sentence, atMs: nowMs });
    return last?.sentence !== sentence || nowMs - last.atMs > QUIET_MS;
  }

  forget(about: string): void {
    this.#last.delete(about);
  }
}
