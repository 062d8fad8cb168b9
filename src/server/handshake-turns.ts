import { TokenBucket } from '../protocol/token-bucket.js';

/** Of those who wait for a turn, known and unknown networks each. It takes some seconds to serve so many. */
export const MAX_WAITING = 1024;

/** Handshakes of unknown networks, so many at once and a second, begin as they come: more at a time are hardly friends. */
const BURST = 256;
const PER_SECOND = 25;
/** Beyond that they get a quarter of the time. */
const REST = 3;
const LONGEST_REST_MS = 250;

interface Waiter {
  network: string;
  begin(): void;
  turnAway(): void;
}

/**
 * A handshake costs us a signature, milliseconds in which nothing else is done, and whoever asks for it nothing. So they
 * begin one in each round of the event loop, after everything else has had its turn; networks take turns too, however
 * many handshakes each wants; and of two turns one is for networks from which peers were admitted lately, so that a
 * flood from addresses never seen before delays those least; and such a flood gets no more than a part of our time.
 */
export class HandshakeTurns {
  readonly #known: FairQueue;
  readonly #unknown: FairQueue;
  #next: NodeJS.Immediate | null = null;
  #knownLast = false;
  readonly #budget = new TokenBucket(BURST, PER_SECOND, performance.now());
  /** A turn of an unknown network that is not over. */
  #begunAt: number | null = null;
  #restUntil = 0;
  #rest: NodeJS.Timeout | undefined;

  constructor(maxWaiting = MAX_WAITING) {
    this.#known = new FairQueue(maxWaiting);
    this.#unknown = new FairQueue(maxWaiting);
  }

  /**
   * Resolves when this handshake may begin; what follows in the same tick is its turn.
   * @param known peers were admitted from this network lately
   * @throws the signal's reason, or CrowdedError if too many wait
   */
  take(network: string, known: boolean, signal: AbortSignal): Promise<void> {
    const queue = known ? this.#known : this.#unknown;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        queue.remove(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        network,
        begin: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        turnAway: () => {
          signal.removeEventListener('abort', onAbort);
          reject(new CrowdedError());
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.add(waiter);
      this.#serveSoon();
    });
  }

  stop(): void {
    clearTimeout(this.#rest);
    if (this.#next) clearImmediate(this.#next);
    this.#next = null;
  }

  #serve(): void {
    this.#next = null;
    const now = performance.now();
    this.#measure(now);
    this.#knownLast = !this.#knownLast;
    const mayBegin = now >= this.#restUntil;
    const known = this.#knownLast || !mayBegin ? this.#known.next() : undefined;
    const unknown = known || !mayBegin ? undefined : this.#unknown.next();
    const waiter = known ?? unknown ?? this.#known.next();
    if (unknown) this.#begunAt = now;
    if (waiter) this.#serveSoon();
    else if (!mayBegin && !this.#unknown.isEmpty)
      this.#rest = setTimeout(() => this.#serveSoon(), this.#restUntil - now);
    waiter?.begin();
  }

  #serveSoon(): void {
    clearTimeout(this.#rest);
    this.#next ??= setImmediate(() => this.#serve());
  }

  /** How long the last turn of an unknown network took is how long the next one waits, several times over. */
  #measure(now: number): void {
    if (this.#begunAt === null) return;
    const took = now - this.#begunAt;
    this.#begunAt = null;
    if (this.#budget.waitMs(now) > 0) this.#restUntil = now + Math.min(LONGEST_REST_MS, REST * took);
    this.#budget.take(now);
  }
}

/** So many wait for a handshake that this one had to go. */
export class CrowdedError extends Error {
  override readonly name = 'CrowdedError';
}

/** First come, first served within a network, and one of each network in turn. */
class FairQueue {
  readonly #max: number;
  /** The network whose turn is next first. */
  readonly #byNetwork = new Map<string, Waiter[]>();
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  add(waiter: Waiter): void {
    const waiting = this.#byNetwork.get(waiter.network) ?? [];
    waiting.push(waiter);
    this.#byNetwork.set(waiter.network, waiting);
    this.#size += 1;
    if (this.#size > this.#max) this.#turnAwayOne();
  }

  remove(waiter: Waiter): void {
    const waiting = this.#byNetwork.get(waiter.network);
    const at = waiting?.indexOf(waiter) ?? -1;
    if (at === -1) return;
    waiting?.splice(at, 1);
    this.#size -= 1;
    if (waiting?.length === 0) this.#byNetwork.delete(waiter.network);
  }

  next(): Waiter | undefined {
    for (const [network, waiting] of this.#byNetwork) {
      const waiter = waiting[0];
      if (!waiter) continue;
      this.remove(waiter);
      // Behind all other networks.
      if (this.#byNetwork.delete(network)) this.#byNetwork.set(network, waiting);
      return waiter;
    }
    return undefined;
  }

  /** The last to come of the network that has most waiting: whoever has one alone stays. */
  #turnAwayOne(): void {
    let most: Waiter[] = [];
    for (const waiting of this.#byNetwork.values()) if (waiting.length >= most.length) most = waiting;
    const last = most.at(-1);
    if (!last) return;
    this.remove(last);
    last.turnAway();
  }
}
