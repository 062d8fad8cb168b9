import { RELAY_SIGNALLING_BYTES } from '../../protocol/constants.js';
import { ByteBucket } from './byte-bucket.js';

/** What the relay does for one pair, both ways together. */
export interface RelayLimits {
  /** False: it carries no more than peers need to find a path of their own. */
  sessions: boolean;
  /** Null: no limit. */
  bytesPerSecond: number | null;
  /** In 24 hours from the first byte on; then it carries no more than without `sessions`. Null: no limit. */
  bytesPerDay: number | null;
}

const DAY_MS = 24 * 3600 * 1000;
/** What a slow relay lets through at once: two peers should find each other quickly all the same. */
const LEAST_BURST = RELAY_SIGNALLING_BYTES;
/** Pieces of a slow stream, in time: many small ones would cost more than they are worth, few large ones stutter. */
const PIECE_MS = 50;
const FORGET_BEYOND = 1024;

/**
 * What each pair may still use of the relay, whatever introductions and relays it has. Limits are kept in memory: a new
 * start of the mediator begins anew.
 */
export class Allowances {
  readonly #limits: RelayLimits;
  readonly #byPair = new Map<string, Allowance>();
  #forgetBeyond = FORGET_BEYOND;

  constructor(limits: RelayLimits) {
    this.#limits = limits;
  }

  of(pair: string, nowMs: number): Allowance {
    const known = this.#byPair.get(pair);
    if (known) return known;
    this.#forgetUnneeded(nowMs);
    const allowance = new Allowance(this.#limits, nowMs);
    this.#byPair.set(pair, allowance);
    return allowance;
  }

  /** What a new relay of the pair may carry; 0: as much as the pair may. */
  quotaOf(pair: string, nowMs: number): number {
    const carriesSessions = this.#limits.sessions && (this.#byPair.get(pair)?.left(nowMs) ?? 1) > 0;
    return carriesSessions ? 0 : RELAY_SIGNALLING_BYTES;
  }

  #forgetUnneeded(nowMs: number): void {
    if (this.#byPair.size < this.#forgetBeyond) return;
    for (const [pair, allowance] of this.#byPair) if (allowance.isAsNew(nowMs)) this.#byPair.delete(pair);
    this.#forgetBeyond = Math.max(FORGET_BEYOND, 2 * this.#byPair.size);
  }
}

export class Allowance {
  readonly #limits: RelayLimits;
  readonly #bucket: ByteBucket | null;
  readonly #burst: number;
  /** The pair has relays open. */
  inUse = false;
  #used = 0;
  #dayBeganMs = Number.NEGATIVE_INFINITY;

  constructor(limits: RelayLimits, nowMs: number) {
    this.#limits = limits;
    const { bytesPerSecond } = limits;
    this.#burst = Math.max(LEAST_BURST, bytesPerSecond ?? 0);
    this.#bucket = bytesPerSecond === null ? null : new ByteBucket(bytesPerSecond, this.#burst, nowMs);
  }

  /** Of what it may use in 24 hours. */
  left(nowMs: number): number {
    const { bytesPerDay } = this.#limits;
    return bytesPerDay === null ? Number.POSITIVE_INFINITY : bytesPerDay - this.#usedToday(nowMs);
  }

  /** How much of so many bytes may pass now, as far as their rate goes; 0: `waitMs` first. */
  piece(bytes: number, nowMs: number): number {
    if (!this.#bucket) return bytes;
    const available = this.#bucket.available(nowMs);
    return available >= this.#leastPiece(bytes) ? Math.min(bytes, available) : 0;
  }

  waitMs(bytes: number, nowMs: number): number {
    return this.#bucket?.waitMs(this.#leastPiece(bytes), nowMs) ?? 0;
  }

  /** So many pass now. */
  take(bytes: number, nowMs: number): void {
    this.#bucket?.take(bytes, nowMs);
  }

  /** So many count for the day. */
  use(bytes: number, nowMs: number): void {
    if (this.#limits.bytesPerDay === null) return;
    const used = this.#usedToday(nowMs);
    if (used === 0) this.#dayBeganMs = nowMs;
    this.#used = used + bytes;
  }

  /** Nothing is lost if it is forgotten. */
  isAsNew(nowMs: number): boolean {
    const isRested = !this.#bucket || this.#bucket.available(nowMs) >= this.#burst;
    return !this.inUse && isRested && this.#usedToday(nowMs) === 0;
  }

  #usedToday(nowMs: number): number {
    return nowMs - this.#dayBeganMs < DAY_MS ? this.#used : 0;
  }

  #leastPiece(bytes: number): number {
    const { bytesPerSecond } = this.#limits;
    return Math.min(bytes, Math.ceil(((bytesPerSecond ?? 0) * PIECE_MS) / 1000));
  }
}
