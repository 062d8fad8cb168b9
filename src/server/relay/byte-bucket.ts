/** Lets `burst` bytes pass at once and `perSecond` in the long run. Times are milliseconds of any one clock. */
export class ByteBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #bytes: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#bytes = burst;
    this.#atMs = nowMs;
  }

  /** Whole bytes that may pass now. */
  available(nowMs: number): number {
    return Math.floor(this.#bytesAt(nowMs));
  }

  /** How long until so many may pass; 0: now. */
  waitMs(bytes: number, nowMs: number): number {
    return Math.max(0, (Math.min(bytes, this.#burst) - this.#bytesAt(nowMs)) / this.#perMs);
  }

  /** They passed; no more than were available. */
  take(bytes: number, nowMs: number): void {
    this.#bytes = this.#bytesAt(nowMs) - bytes;
    this.#atMs = nowMs;
  }

  #bytesAt(nowMs: number): number {
    return Math.min(this.#burst, this.#bytes + (nowMs - this.#atMs) * this.#perMs);
  }
}
