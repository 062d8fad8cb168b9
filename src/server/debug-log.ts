import { TokenBucket } from '../protocol/token-bucket.js';

const BURST = 200;
const LINES_PER_SECOND = 20;

/**
 * Lines for an operator who asked for them (`--log-level debug`). Some are caused by strangers: a flood of those must
 * fill neither a disk nor our time, so that most of them are only counted.
 */
export class DebugLog {
  readonly #print: (text: string) => void;
  readonly #budget = new TokenBucket(BURST, LINES_PER_SECOND, performance.now());
  #unsaid = 0;

  /** @param print takes whole lines */
  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  /** @param text tells of peers only what src/server/coarse.ts makes of them */
  say(text: string): void {
    const now = performance.now();
    if (this.#budget.waitMs(now) > 0) {
      this.#unsaid += 1;
      return;
    }
    this.#budget.take(now);
    if (this.#unsaid > 0) this.#print(`${this.#unsaid} lines left out`);
    this.#unsaid = 0;
    this.#print(text);
  }
}
