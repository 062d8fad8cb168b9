/** Something that wants to move bytes, again and again. */
export interface TurnTaker {
  /** Moves about so many bytes. @returns how many it moved, and whether it could go on at once */
  takeTurn(bytes: number): { moved: number; more: boolean };
}

/** What one of several moves in a pass. */
const BYTES_PER_TURN = 64 * 1024;
/** What is moved in all before other things, such as handshakes, have their turn. */
const BYTES_PER_PASS = 1024 * 1024;
/** Who had a turn this many passes ago will soon want one again: whoever moves meanwhile is not alone. */
const COMPANY_PASSES = 16;

/**
 * Lets all who want to move bytes do so in turn, so that nobody gets less because another has more to move, or more
 * streams to move it on. There is one pass in each round of the event loop, after it has looked at all sockets.
 */
export class Turns {
  readonly #waiting = new Set<TurnTaker>();
  /** The pass in which each had its last turn, of those who had one lately; the longest ago first. */
  readonly #company = new Map<TurnTaker, number>();
  #next: NodeJS.Immediate | null = null;
  #passes = 0;

  /** Gives it a turn soon. */
  ask(taker: TurnTaker): void {
    this.#waiting.add(taker);
    this.#next ??= setImmediate(() => this.#pass());
  }

  /** It will not ask again. */
  forget(taker: TurnTaker): void {
    this.#waiting.delete(taker);
    this.#company.delete(taker);
  }

  stop(): void {
    this.#waiting.clear();
    this.#company.clear();
    if (this.#next) clearImmediate(this.#next);
    this.#next = null;
  }

  #pass(): void {
    this.#next = null;
    this.#passes += 1;
    let left = BYTES_PER_PASS;
    for (const taker of [...this.#waiting]) {
      if (left <= 0) break;
      // Added again, it is behind all others.
      this.#waiting.delete(taker);
      const { moved, more } = taker.takeTurn(this.#isAlone(taker) ? left : BYTES_PER_TURN);
      if (more) this.#waiting.add(taker);
      left -= moved;
    }
    if (this.#waiting.size > 0) this.#next ??= setImmediate(() => this.#pass());
  }

  #isAlone(taker: TurnTaker): boolean {
    this.#company.delete(taker);
    for (const [other, pass] of this.#company) {
      if (pass >= this.#passes - COMPANY_PASSES) break;
      this.#company.delete(other);
    }
    const alone = this.#company.size === 0 && this.#waiting.size === 0;
    this.#company.set(taker, this.#passes);
    return alone;
  }
}
