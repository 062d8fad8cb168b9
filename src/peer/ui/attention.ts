/** Not more than one bell in this time, however much comes. */
const BELL_PAUSE_MS = 1_000;

/** Keeps what the person has not seen yet, and decides when the bell may ring. */
export class Attention {
  /** What the terminal told; undefined until it tells anything, as many never do. */
  focused: boolean | undefined;
  #unseen: string[] = [];
  #lastBellMs = Number.NEGATIVE_INFINITY;

  /** A message of the peer's came in. Returns whether it is the first that the person has not seen. */
  arrived(id: string): boolean {
    this.#unseen.push(id);
    return this.#unseen.length === 1;
  }

  /** Someone pressed a key: whatever the terminal told, somebody is there. */
  touched(): void {
    if (this.focused === false) this.focused = true;
  }

  /** Whether the person looks at the terminal, for all that is known. */
  get looking(): boolean {
    return this.focused !== false;
  }

  /** The latest messages are on the screen: returns those that the person sees now for the first time. */
  seen(): string[] {
    if (!this.looking) return [];
    const seen = this.#unseen;
    this.#unseen = [];
    return seen;
  }

  /** Whether to ring now. A terminal that never tells whether it is looked at rings each time. */
  shouldRing(nowMs: number): boolean {
    if (this.focused === true || nowMs - this.#lastBellMs < BELL_PAUSE_MS) return false;
    this.#lastBellMs = nowMs;
    return true;
  }
}
