import type { ReaderCalls } from './reader-worker.js';
import { Thread } from './thread/thread.js';
import type { Walked } from './walk.js';

/** So that a walk goes on while whoever wants it is busy, and what others want to read need not wait for long. */
const TURNS_AHEAD = 3;

let numbers = 0;

/** For a sending, a stream or a walk in the thread. */
export function newNumber(): number {
  numbers += 1;
  return numbers;
}

/** The thread that finds, reads and hashes what is sent: there from when it is first needed, and anew if it has failed. */
export class ReaderThread {
  #thread: Thread<ReaderCalls> | null = null;

  get thread(): Thread<ReaderCalls> {
    if (!this.#thread || this.#thread.ended) {
      this.#thread = new Thread<ReaderCalls>(new URL('./reader-worker.js', import.meta.url));
    }
    return this.#thread;
  }

  /** What `walk` finds, some at a time. Throws as it does. */
  async *walk(source: string, path: string, signal: AbortSignal): AsyncGenerator<Walked[], void> {
    signal.throwIfAborted();
    const { thread } = this;
    const number = newNumber();
    try {
      await thread.call('walk', number, source, path);
      const walkOn = () => {
        const turn = thread.call('walkOn', number);
        // Met when it is waited for, if it still is.
        turn.catch(() => {});
        return turn;
      };
      const turns = Array.from({ length: TURNS_AHEAD }, walkOn);
      for (const turn of turns) {
        const { found, ended } = await turn;
        signal.throwIfAborted();
        yield found;
        if (ended) return;
        turns.push(walkOn());
      }
    } catch (error) {
      // A thread that was stopped is no news to whoever wanted all of this to end.
      signal.throwIfAborted();
      throw error;
    } finally {
      await thread.call('end', number).catch(() => {});
    }
  }

  async stop(): Promise<void> {
    await this.#thread?.stop();
    this.#thread = null;
  }
}
