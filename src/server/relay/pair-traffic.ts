import type { Socket } from 'node:net';
import type { Allowance } from './allowances.js';
import { Lane } from './lane.js';
import type { Turns, TurnTaker } from './turns.js';

/** What one relay has carried, and may; 0: as much as its pair may. */
interface Meter {
  readonly quota: number;
  carried: number;
}

/** All that the relay carries for one pair: however many relays it has, together they have one turn and one allowance. */
export class PairTraffic implements TurnTaker {
  readonly #allowance: Allowance;
  readonly #turns: Turns;
  /** In the order in which they are to be served. */
  readonly #ready = new Map<Lane, Meter>();
  #credit = 0;
  #waiting: NodeJS.Timeout | null = null;

  constructor(allowance: Allowance, turns: Turns) {
    this.#allowance = allowance;
    this.#turns = turns;
  }

  /** Carries bytes both ways until both have ended, or they are more than the quota or the pair's allowance. */
  carry(one: Socket, other: Socket, quota: number): void {
    const meter = { quota, carried: 0 };
    const onReady = (lane: Lane) => {
      this.#ready.set(lane, meter);
      if (!this.#waiting) this.#turns.ask(this);
    };
    new Lane(one, other, onReady);
    new Lane(other, one, onReady);
  }

  stop(): void {
    if (this.#waiting) clearTimeout(this.#waiting);
    this.#ready.clear();
    this.#turns.forget(this);
  }

  takeTurn(bytes: number): { moved: number; more: boolean } {
    this.#credit += bytes;
    let moved = 0;
    for (const [lane, meter] of this.#ready) {
      if (this.#credit <= 0) return { moved, more: true };
      this.#ready.delete(lane);
      const count = this.#serve(lane, meter);
      if (count === 'wait') return { moved, more: false };
      // What was read at once is not cut to measure: who got more than a turn's share gets less the next time.
      this.#credit -= count;
      moved += count;
    }
    this.#credit = Math.min(0, this.#credit);
    return { moved, more: false };
  }

  #serve(lane: Lane, meter: Meter): number | 'wait' {
    const now = performance.now();
    if (lane.waiting === 0) {
      lane.noticeEnd();
      return 0;
    }
    const left = meter.quota > 0 ? meter.quota - meter.carried : this.#allowance.left(now);
    if (left <= 0) {
      lane.cut();
      return 0;
    }
    const wanted = Math.min(lane.waiting, left);
    const count = this.#allowance.piece(wanted, now);
    if (count === 0) {
      this.#waitFor(lane, meter, this.#allowance.waitMs(wanted, now));
      return 'wait';
    }
    this.#allowance.take(count, now);
    if (meter.quota === 0) this.#allowance.use(count, now);
    meter.carried += count;
    lane.move(count);
    if (lane.waiting > 0) this.#ready.set(lane, meter);
    return count;
  }

  #waitFor(lane: Lane, meter: Meter, ms: number): void {
    this.#ready.set(lane, meter);
    this.#waiting = setTimeout(() => {
      this.#waiting = null;
      this.#turns.ask(this);
    }, ms);
  }
}
