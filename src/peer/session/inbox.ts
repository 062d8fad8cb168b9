import type { Link } from '../../protocol/link.js';
import type { Item } from '../../protocol/messages.js';
import type { Disappearing } from './disappearing.js';
import type { AfterCommit, Journal } from './journal/journal.js';
import type { Texts } from './texts.js';
import type { Transfers } from './transfers/transfers.js';

export interface InboxOptions {
  journal: Journal;
  texts: Texts;
  transfers: Transfers;
  disappearing: Disappearing;
  onSuccession(statement: string): AfterCommit;
  /** What is on the disk is acknowledged over this one. */
  link(): Link | null;
}

/** Takes the peer's items, each once: writes down, and only then tells and acknowledges. */
export class Inbox {
  readonly #o: InboxOptions;

  constructor(options: InboxOptions) {
    this.#o = options;
  }

  receive(message: Item): void {
    const { journal, disappearing } = this.#o;
    const afterCommit = journal.transaction(() => {
      const isNew = message.sequence > journal.peerAck().sequence;
      const item = isNew ? disappearing.heed(message) : message;
      return journal.receive(item) ? this.#apply(item) : () => {};
    });
    afterCommit();
    this.#o.link()?.send({ kind: 'ack', ...journal.peerAck() });
  }

  /** Inside the journal's transaction: the item and all that it changes are on disk together or not at all. */
  #apply(item: Item): AfterCommit {
    const { texts, transfers, disappearing } = this.#o;
    const { body } = item;
    switch (body.kind) {
      case 'text':
        return texts.receive(item, body);
      case 'read':
        return texts.readByPeer(body);
      case 'disappear':
      case 'disappearAnswer':
        return disappearing.apply(body);
      case 'succession':
        return this.#o.onSuccession(body.statement);
      default:
        return transfers.apply(body);
    }
  }
}
