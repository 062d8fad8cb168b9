/** Lets `burst` things happen at once and `perSecond` in the long run. Times are milliseconds of any one clock. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** How long until the next thing may happen; 0: now. */
  waitMs(nowMs: number): number {
    const tokens = this.#tokensAt(nowMs);
    return tokens >= 1 ? 0 : (1 - tokens) / this.#perMs;
  }

  /** It happened. Taking more than there is leaves no debt. */
  take(nowMs: number): void {
    this.#tokens = Math.max(0, this.#tokensAt(nowMs) - 1);
    this.#atMs = nowMs;
  }

  #tokensAt(nowMs: number): number {
    return Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
  }
}
