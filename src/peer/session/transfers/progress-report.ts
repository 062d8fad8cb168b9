import { RateEstimate } from '../../files/rate.js';
import type { SessionEvent } from '../events.js';

/** The contract allows ten a second. */
const EVERY_MS = 125;

/** Turns the steps of one transfer into `progress` events, not too many of them. */
export class ProgressReport {
  readonly #transfer: string;
  readonly #total: number;
  readonly #emit: (event: SessionEvent) => void;
  readonly #rate: RateEstimate;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(transfer: string, total: number, emit: (event: SessionEvent) => void) {
    this.#transfer = transfer;
    this.#total = total;
    this.#emit = emit;
    this.#rate = new RateEstimate(total);
  }

  update(name: string, bytes: number): void {
    const now = performance.now();
    if (now - this.#lastAt < EVERY_MS) return;
    this.#lastAt = now;
    this.#report(now, name, bytes);
  }

  /** The last one, whenever the one before it was. */
  finish(name: string): void {
    this.#report(performance.now(), name, this.#total);
  }

  #report(now: number, name: string, bytes: number): void {
    this.#rate.feed(now, bytes);
    this.#emit({
      event: 'progress',
      transfer: this.#transfer,
      name,
      bytes,
      total: this.#total,
      bytesPerSecond: this.#rate.bytesPerSecond,
      etaSeconds: this.#rate.etaSeconds,
    });
  }
}
