/** A race needs this long on a slow line; before it has begun, asking again costs nothing. */
const FIRST_MS = 2_000;
const UNHEARD_MS = 400;
const LONGEST_MS = 15_000;

/** An introduction that came to nothing is followed by another, for as long as both are there and have no link. */
export class MeetAgain {
  readonly #meet: () => void;
  #waitMs = FIRST_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(meet: () => void) {
    this.#meet = meet;
  }

  /** The session has no link any more. */
  lost(): void {
    this.#waitMs = UNHEARD_MS;
    this.#meet();
    this.#schedule();
  }

  introduced(isLinked: boolean): void {
    this.#waitMs = Math.max(this.#waitMs, FIRST_MS);
    if (!isLinked) this.#schedule();
  }

  /** There is a link, or nobody to meet. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_MS);
      this.#meet();
      this.#schedule();
    }, this.#waitMs);
  }
}
