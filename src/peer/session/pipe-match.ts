import type { Link } from '../../protocol/link.js';

/** A program that runs a pipe says so as soon as a link is in use. */
const SOON_MS = 3_000;

/** Notices that one side runs a pipe and the other does not: each would wait for the other without knowing for what. */
export class PipeMatch {
  readonly #onMismatch: (whose: 'me' | 'peer') => void;
  #isPipe = false;
  /** Of the peer's program now, and of the one that was last spoken of. */
  #run = '';
  #settledRun = '';
  #timer: NodeJS.Timeout | undefined;

  /** `onMismatch`: whose the only pipe is; once for each run of the peer's program. */
  constructor(onMismatch: (whose: 'me' | 'peer') => void) {
    this.#onMismatch = onMismatch;
  }

  attachPipe(): void {
    this.#isPipe = true;
  }

  start(link: Link): void {
    this.#run = link.facts.hello.runId;
    clearTimeout(this.#timer);
    if (this.#isPipe) this.#timer = setTimeout(() => this.#mismatch('me'), SOON_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  peerRunsPipe(): void {
    clearTimeout(this.#timer);
    if (this.#isPipe) this.#settledRun = this.#run;
    else this.#mismatch('peer');
  }

  #mismatch(whose: 'me' | 'peer'): void {
    if (this.#settledRun === this.#run) return;
    this.#settledRun = this.#run;
    this.#onMismatch(whose);
  }
}
