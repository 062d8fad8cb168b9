import type { Conversation } from '../session/conversation.js';
import type { StatusEvent } from '../session/events.js';

/** Some of what is waited for has no event of its own, such as an acknowledged receipt. */
const LOOK_AGAIN_MS = 200;

/**
 * Waits, once the input has ended, for the moment when nothing is left to do: a first connection was there, everything
 * queued is on the peer's disk, offers of ours are answered and accepted transfers have come to their end.
 */
export class QuietWatch {
  readonly #conversation: Conversation;
  readonly #onQuiet: () => void;
  readonly #unsubscribe: () => void;
  #wasConnected: boolean;
  #unfinishedCommands = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(conversation: Conversation, onQuiet: () => void) {
    this.#conversation = conversation;
    this.#onQuiet = onQuiet;
    this.#wasConnected = conversation.status().state === 'connected';
    this.#unsubscribe = conversation.subscribe(({ event }) => {
      if (event === 'connected') this.#wasConnected = true;
    });
  }

  /** A command that is still being carried out keeps the end away. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#unfinishedCommands += 1;
    try {
      return await work;
    } finally {
      this.#unfinishedCommands -= 1;
    }
  }

  inputEnded(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_AGAIN_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  #look(): void {
    if (!this.#wasConnected || this.#unfinishedCommands > 0 || !isSettled(this.#conversation.status())) return;
    this.stop();
    this.#onQuiet();
  }
}

/** Offers of the peer's that nobody can answer any more hold nothing up. */
function isSettled({ outbox, transfers }: StatusEvent): boolean {
  return outbox === 0 && transfers.every(({ direction, state }) => direction === 'receive' && state === 'offered');
}
