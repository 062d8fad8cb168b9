/** How quickly the past is forgotten: a change of speed shows within about twice this. */
const MEMORY_MS = 3_000;

/**
 * Speed and time left of one transfer. Pure: the caller brings the clock, and calls feed() regularly, also when nothing
 * moves, for standing still is what it learns from that.
 */
export class RateEstimate {
  readonly #total: number;
  #last: { nowMs: number; bytes: number } | null = null;
  // Both fade at the same pace, so their quotient is a weighted mean from the first moment on.
  #recentBytes = 0;
  #recentMs = 0;

  /** `total`: bytes of the whole transfer. */
  constructor(total: number) {
    this.#total = total;
  }

  /** `bytes`: how far the transfer is. What was there at the first call, or went back since, is no speed. */
  feed(nowMs: number, bytes: number): void {
    const last = this.#last;
    this.#last = { nowMs: Math.max(nowMs, last?.nowMs ?? nowMs), bytes };
    if (!last) return;
    const elapsed = this.#last.nowMs - last.nowMs;
    const kept = Math.exp(-elapsed / MEMORY_MS);
    this.#recentBytes = this.#recentBytes * kept + Math.max(bytes - last.bytes, 0);
    this.#recentMs = this.#recentMs * kept + elapsed;
  }

  get bytesPerSecond(): number {
    return this.#recentMs === 0 ? 0 : Math.round((this.#recentBytes / this.#recentMs) * 1_000);
  }

  /** Whole seconds, rounded up; null while nothing moves. */
  get etaSeconds(): number | null {
    const left = this.#total - (this.#last?.bytes ?? 0);
    if (left <= 0) return 0;
    return this.bytesPerSecond === 0 ? null : Math.ceil(left / this.bytesPerSecond);
  }
}
