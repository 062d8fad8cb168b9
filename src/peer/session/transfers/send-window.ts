/**
 * How much of a file may be on its way and not yet taken in by the peer. Follows what the peer acknowledges: enough for
 * the path's rate over its round trip and a little more, and not so much that a message would wait long behind it.
 * Pure: the clock is an argument, in milliseconds.
 */
export class SendWindow {
  readonly #linkRttMs: () => number;
  #sent = 0;
  #consumed = 0;
  #consumedAtMs = Number.NEGATIVE_INFINITY;
  /** Where the sample begins that is being taken. */
  #mark = { atMs: 0, consumed: 0 };
  #size = SMALLEST;
  /** Of the last time, those that none was as high as since: the highest first. */
  #rates: { atMs: number; bytesPerMs: number }[] = [];
  /** What was sent up to here at that time: its acknowledgement took a round trip, and what the peer needed for it. */
  #timed: { atMs: number; sent: number } | null = null;
  #leastMs = Number.POSITIVE_INFINITY;

  /** `linkRttMs`: as the link has measured it, which may have been in a handshake that kept both sides busy. */
  constructor(linkRttMs: () => number) {
    this.#linkRttMs = linkRttMs;
  }

  /** Bytes that may be sent now. */
  get allowance(): number {
    return Math.max(0, this.size - (this.#sent - this.#consumed));
  }

  get size(): number {
    return this.#size;
  }

  sent(bytes: number, nowMs: number): void {
    // What the sender had nothing to send in says nothing about the path.
    const wasIdle = this.#sent === this.#consumed && nowMs - this.#consumedAtMs > SAMPLE_MS;
    if (wasIdle) this.#mark = { atMs: nowMs, consumed: this.#consumed };
    this.#sent += bytes;
    this.#timed ??= { atMs: nowMs, sent: this.#sent };
  }

  /** `total`: bytes taken in since the beginning. Returns false if the peer claims more than was sent. */
  consumed(total: number, nowMs: number): boolean {
    if (total > this.#sent) return false;
    this.#consumed = Math.max(this.#consumed, total);
    this.#consumedAtMs = nowMs;
    if (this.#timed && this.#consumed >= this.#timed.sent) {
      this.#leastMs = Math.min(this.#leastMs, nowMs - this.#timed.atMs);
      this.#timed = null;
    }
    this.#measure(nowMs);
    return true;
  }

  /** No path takes longer than the quickest acknowledgement. */
  #minRttMs(): number {
    return Math.min(this.#linkRttMs(), this.#leastMs);
  }

  #measure(nowMs: number): void {
    const elapsedMs = nowMs - this.#mark.atMs;
    // Less than a round trip may be one burst of what was held up on the way.
    if (elapsedMs < Math.max(SAMPLE_MS, Math.min(this.#minRttMs(), LONGEST_SAMPLE_MS))) return;
    const latest = (this.#consumed - this.#mark.consumed) / elapsedMs;
    this.#rates = this.#rates.filter((rate) => nowMs - rate.atMs < REMEMBER_MS && rate.bytesPerMs > latest);
    this.#rates.push({ atMs: nowMs, bytesPerMs: latest });
    this.#mark = { atMs: nowMs, consumed: this.#consumed };
    const bytesPerMs = this.#rates[0]?.bytesPerMs ?? latest;
    const queue = Math.min(bytesPerMs * QUEUE_MS, LARGEST_QUEUE);
    this.#size = Math.min(LARGEST, Math.max(SMALLEST, bytesPerMs * this.#minRttMs() + queue));
  }
}

/** What may wait in the network's buffers, at the path's rate. */
const QUEUE_MS = 80;
/**
 * On the fastest paths this is less. Much of it waits in the kernel's buffers: with less, two processes on a busy machine
 * wait for each other's turns.
 */
const LARGEST_QUEUE = 8 * 1024 * 1024;
const SMALLEST = 96 * 1024;
const LARGEST = 16 * 1024 * 1024;
const SAMPLE_MS = 5;
const LONGEST_SAMPLE_MS = 500;
const REMEMBER_MS = 2_000;
