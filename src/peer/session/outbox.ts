import { ProtocolError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { Item, ItemBody } from '../../protocol/messages.js';
import type { Journal } from './journal/journal.js';

/** Items on their way and not yet acknowledged; each is at most a message long. */
const IN_FLIGHT = 64;

/** Sends the journal's own items over the session's link, each once per link and in order, as the peer acknowledges. */
export class Outbox {
  readonly #journal: Journal;
  #link: Link | null = null;
  #lastSent = 0;
  /** Ends the waiting for everything to be acknowledged, if somebody waits. */
  #onEmpty: (() => void) | null = null;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Everything that is not acknowledged goes out again: a new link knows nothing of the old one. */
  start(link: Link): void {
    this.#link = link;
    this.#lastSent = this.#journal.firstUnacknowledged() - 1;
    this.flush();
  }

  stop(): void {
    this.#link = null;
  }

  /** Journals items of one kind of act together, then sends what may be sent. */
  append(bodies: ItemBody[]): void {
    const atMs = Date.now();
    this.#journal.transaction(() => {
      for (const body of bodies) this.#journal.append(body, atMs);
    });
    this.flush();
  }

  /** Returns the ids of messages that are now known to be on the peer's disk. */
  acknowledged(journalId: string, sequence: number): string[] {
    if (journalId === this.#journal.id && sequence > this.#lastSent)
      throw new ProtocolError('an item was acknowledged that was not sent');
    const delivered = this.#journal.acknowledge(journalId, sequence);
    this.flush();
    if (this.#onEmpty && this.#journal.outboxSize() === 0) this.#onEmpty();
    return delivered;
  }

  /** Resolves when the peer has everything, or after `ms`. */
  async whenEmpty(ms: number): Promise<void> {
    if (this.#journal.outboxSize() === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** There is no link any more over which it could become empty. */
  stopWaiting(): void {
    this.#onEmpty?.();
  }

  /** `newest`: the item that was journalled last, if it is at hand; it need not be read again. */
  flush(newest?: Item): void {
    const link = this.#link;
    if (!link) return;
    const room = IN_FLIGHT - (this.#lastSent - (this.#journal.firstUnacknowledged() - 1));
    if (room <= 0 || this.#lastSent === this.#journal.lastSequence()) return;
    const isNext = newest?.sequence === this.#lastSent + 1;
    for (const item of isNext ? [newest] : this.#journal.outgoing(this.#lastSent, room)) {
      link.send(item);
      this.#lastSent = item.sequence;
    }
  }
}
