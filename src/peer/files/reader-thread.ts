import type { ReaderCalls } from './reader-worker.js';
import { Thread } from './thread/thread.js';

let numbers = 0;

/** For a sending or a stream in the thread. */
export function newNumber(): number {
  numbers += 1;
  return numbers;
}

/** The thread that reads and hashes what is sent: there from when it is first needed, and anew if it has failed. */
export class ReaderThread {
  #thread: Thread<ReaderCalls> | null = null;

  get thread(): Thread<ReaderCalls> {
    if (!this.#thread || this.#thread.ended) {
      this.#thread = new Thread<ReaderCalls>(new URL('./reader-worker.js', import.meta.url));
    }
    return this.#thread;
  }

  async stop(): Promise<void> {
    await this.#thread?.stop();
    this.#thread = null;
  }
}
