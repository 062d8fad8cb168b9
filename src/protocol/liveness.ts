export interface Keepalive {
  /** Silent for this long: ask for a sign of life. */
  idleMs: number;
  /** Silent for this long: the link is dead. */
  deadMs: number;
  /** What was asked of the peer is answered sooner than this, wherever the path is any good. */
  answerMs: number;
}

/** `ask`: a ping should go out. `doubtful`: said once for each silence; another link should be made ready. */
export type Verdict = 'alive' | 'ask' | 'doubtful' | 'dead';

/** How many times slower than the slowest of the last answers the next one may be. */
const MARGIN = 4;
const LONGEST_MARGIN = 5;
/** What a quick answer leaves of the slowness of those before it. */
const DECAY = 0.5;

/**
 * Judges from what was asked and heard on a link whether it may be dead. A link with something on its way is doubted
 * within seconds, by the measure of its own earlier answers; an idle one is asked now and then. Pure: the clock is an
 * argument, in milliseconds.
 */
export class Liveness {
  readonly #keepalive: Keepalive;
  #heardMs: number;
  /** Since when the peer owes us a word. */
  #askedMs: number | null = null;
  /** In this silence. */
  #pingedMs: number | null = null;
  #everPinged = false;
  #doubted = false;
  #slowestMs: number;

  constructor(keepalive: Keepalive, nowMs: number) {
    this.#keepalive = keepalive;
    this.#heardMs = nowMs;
    // Nothing is known yet: patience at first.
    this.#slowestMs = keepalive.answerMs;
  }

  silentMs(nowMs: number): number {
    return nowMs - this.#heardMs;
  }

  heard(nowMs: number): void {
    if (this.#askedMs !== null) this.#slowestMs = Math.max(nowMs - this.#askedMs, this.#slowestMs * DECAY);
    this.#heardMs = nowMs;
    this.#askedMs = null;
    this.#pingedMs = null;
    this.#doubted = false;
  }

  /** Something was sent that the peer answers. */
  asked(nowMs: number): void {
    this.#askedMs ??= nowMs;
  }

  pinged(nowMs: number): void {
    this.#everPinged = true;
    this.#pingedMs = nowMs;
    this.asked(nowMs);
  }

  judge(nowMs: number): Verdict {
    const { idleMs, deadMs } = this.#keepalive;
    const silentMs = this.silentMs(nowMs);
    if (silentMs > deadMs) return 'dead';
    const owedMs = this.#askedMs === null ? 0 : nowMs - this.#askedMs;
    const isLate = owedMs > this.#patienceMs();
    if (this.#pingedMs === null) return silentMs > idleMs || isLate || !this.#everPinged ? 'ask' : 'alive';
    const pingIsLate = nowMs - this.#pingedMs > this.#keepalive.answerMs;
    if (isLate && pingIsLate && !this.#doubted) {
      this.#doubted = true;
      return 'doubtful';
    }
    return silentMs > idleMs && nowMs - this.#pingedMs > idleMs / 2 ? 'ask' : 'alive';
  }

  #patienceMs(): number {
    const { answerMs } = this.#keepalive;
    return Math.min(Math.max(answerMs, this.#slowestMs * MARGIN), answerMs * LONGEST_MARGIN);
  }
}
