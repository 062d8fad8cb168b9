import { ProtocolError, UserError } from '../../../protocol/errors.js';
import type { Held, Item, ItemBody } from '../../../protocol/messages.js';
import type { HistoryLine } from '../conversation.js';
import type { Database } from './database.js';
import { History, type MessageId, messageId } from './history.js';
import { JournalledMemory, type Memory } from './memory.js';
import { type Appended, OwnItems } from './own-items.js';
import { Past, type PastEntry } from './past.js';
import { PeerItems } from './peer-items.js';
import type { SessionLock } from './session-lock.js';
import { openStore, type StoreOptions } from './store.js';
import { TransferRecords } from './transfer-records.js';

export type { MessageId } from './history.js';
export type { Memory } from './memory.js';
export type { Appended } from './own-items.js';
export type { PastEntry, PastTransfer } from './past.js';
export type { TransferRecord } from './transfer-records.js';

/** Done once the journal's transaction around it has been committed. */
export type AfterCommit = () => void;

const JOURNAL_ID = /^[0-9a-f]{32}$/;

/**
 * What a session has written to disk so that nothing is lost: items not yet acknowledged, how far the peer's have come,
 * history, transfers. Every method is synchronous, and what it changed is on the disk when it returns. A disk that is
 * full or fails makes it throw a UserError with nothing changed; the journal stays usable.
 */
export class Journal {
  readonly transfers: TransferRecords;
  readonly memory: Memory;
  readonly #lock: SessionLock;
  readonly #database: Database;
  readonly #history: History;
  readonly #past: Past;
  readonly #own: OwnItems;
  readonly #peers: PeerItems;
  /** My last item when the journal was opened. */
  readonly #lastBefore: MessageId;
  /** The peers have compared what they hold since the journal was opened; see own-items.ts. */
  #live = false;

  private constructor(lock: SessionLock, database: Database) {
    this.#lock = lock;
    this.#database = database;
    this.#history = new History(database);
    this.#own = new OwnItems(database, this.#history);
    this.#peers = new PeerItems(database, this.#history);
    this.transfers = new TransferRecords(database);
    this.memory = new JournalledMemory(database);
    this.#past = new Past(database, this.#history, this.transfers);
    this.#lastBefore = { journalId: this.id, sequence: this.lastSequence() };
  }

  /** Throws a UserError (exit code 2) if it is open in another process, belongs to another key, or cannot be used. */
  static open(options: StoreOptions): Journal {
    return openStore(options, (lock, database) => {
      const journal = new Journal(lock, database);
      journal.#forgetOverdue();
      return journal;
    });
  }

  close(): void {
    this.#indexForNextSearch();
    this.#database.emptyLog();
    this.#database.close();
    this.#lock.release();
  }

  /** What a full disk does not take, the next search sees to. */
  #indexForNextSearch(): void {
    try {
      this.#history.indexRest();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }

  /** My journal's id now, 32 hex digits; only `reconcile` may change it. */
  get id(): string {
    return this.#own.current().id;
  }

  /**
   * One commit for all that `work` does here, or nothing if it throws. Calls nest: an inner one that throws undoes the
   * outer one too, even when the error is caught in between.
   */
  transaction<T>(work: () => T): T {
    const live = this.#live;
    try {
      return this.#database.transaction(work);
    } catch (error) {
      this.#live = live;
      this.#own.forget();
      this.#peers.forget();
      throw error;
    }
  }

  /**
   * Gives an item the next sequence number. Refs are kept for ever: a known one gives its first item again, or a
   * UserError if that was of another kind.
   */
  append(body: ItemBody, atMs: number, ref?: string): Appended {
    return this.transaction(() => this.#own.append(body, atMs, ref, this.#live));
  }

  /** The item that was appended with this ref, if there is one. */
  byRef(ref: string): Appended | null {
    return this.#own.byRef(ref);
  }

  /** Whether an earlier run of the program appended it; also said of what was renumbered since. */
  isFromBefore({ id, item }: Appended): boolean {
    const { journalId, sequence } = this.#lastBefore;
    return item.sequence <= sequence || id !== messageId(journalId, item.sequence);
  }

  isDelivered({ id, item }: Appended): boolean {
    // What is not acknowledged moves to the journal in use.
    return id !== messageId(this.id, item.sequence) || item.sequence < this.firstUnacknowledged();
  }

  /** Items that the peer has not acknowledged, rising. Nothing may be sent before `reconcile`. */
  outgoing(after: number, limit: number): Item[] {
    return this.#own.outgoing(after, limit);
  }

  outboxSize(): number {
    return this.#own.size();
  }

  lastSequence(): number {
    return this.#own.current().sequence;
  }

  /** `lastSequence() + 1` if there is none. */
  firstUnacknowledged(): number {
    return this.#own.firstUnacknowledged();
  }

  /**
   * Everything up to `sequence` is on the peer's disk. Returns the ids of texts for which this is new. A journal other
   * than the one in use is ignored; a sequence that was never given is a ProtocolError.
   */
  acknowledge(journalId: string, sequence: number): string[] {
    return this.transaction(() => this.#own.acknowledge(journalId, sequence));
  }

  /** These texts of mine were shown to the person there. Returns the ids for which this is new, ignoring unknown ones. */
  markReadByPeer(journalId: string, sequences: number[]): string[] {
    return this.transaction(() =>
      sequences
        .filter((sequence) => this.#history.markReadByPeer(journalId, sequence))
        .map((sequence) => messageId(journalId, sequence)),
    );
  }

  /** What to tell the peer when a link begins. */
  held(): Held {
    const { journalId, sequence } = this.#peers.mark();
    return {
      peerJournalId: journalId,
      peerSequence: sequence,
      journalId: this.id,
      firstSequence: this.firstUnacknowledged(),
    };
  }

  /** Whether the peer has lost what it had acknowledged, as after its home was restored from a backup. Before `reconcile`. */
  isBehind({ peerJournalId, peerSequence }: Held): boolean {
    const acknowledged = this.firstUnacknowledged() - 1;
    if (peerJournalId === this.id) return peerSequence < acknowledged;
    return acknowledged > 0 && (peerJournalId === '' || this.#own.hasId(peerJournalId));
  }

  /**
   * What the peer told when a link began. Returns the ids of the texts that this delivers. If the peer shows that this
   * journal is a restored backup, `id` and the numbers of all that is unacknowledged change, and the peer has to be told
   * `held()` again. Throws a ProtocolError if the peer cannot mean it.
   */
  reconcile(held: Held): string[] {
    if (!JOURNAL_ID.test(held.journalId) || !Number.isSafeInteger(held.firstSequence) || held.firstSequence < 1) {
      throw new ProtocolError('the peer does not say which of its items it will send');
    }
    return this.transaction(() => {
      if (this.#own.hasId(held.journalId)) throw new ProtocolError('the peer claims my journal as its own');
      const delivered = this.#own.reconcile(held.peerJournalId, held.peerSequence);
      this.#peers.follow(held.journalId, held.firstSequence);
      this.#live = true;
      return delivered;
    });
  }

  /**
   * An item of the peer's, of the journal that the last `reconcile` named. False if it was here already; a gap is a
   * ProtocolError. A text goes to the history, unshown; what any other means is the caller's to do in one transaction.
   */
  receive(item: Item): boolean {
    return this.transaction(() => this.#peers.receive(item));
  }

  /** What to acknowledge to the peer. */
  peerAck(): MessageId {
    return this.#peers.mark();
  }

  /** Texts of the peer's that no face has shown, oldest first. */
  unshown(): HistoryLine[] {
    return this.#history.unshown();
  }

  markShown(id: string): void {
    this.transaction(() => this.#history.markShown(id));
  }

  /** What to tell the peer; null if the text is unknown, mine, or was read before. */
  markReadByMe(id: string): MessageId | null {
    return this.transaction(() => this.#history.markReadByMe(id));
  }

  /** Nobody sees again what was to go while no program was running, unless the disk takes no change. */
  #forgetOverdue(): void {
    try {
      this.vanish(Date.now());
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }

  /** When the next message is to disappear, in milliseconds since 1970; null: none that was delivered is. */
  nextVanishing(): number | null {
    return this.#history.nextVanishing();
  }

  /** Deletes from the files what was to disappear by now; the ids. */
  vanish(nowMs: number): string[] {
    const gone = this.transaction(() => {
      const ids = this.#history.vanish(nowMs);
      if (ids.length > 0) this.transfers.keepBeforeNextMessage();
      return ids;
    });
    if (gone.length > 0) this.#database.emptyLog();
    return gone;
  }

  /** The last `count` texts of both sides, oldest first. */
  history(count: number): HistoryLine[] {
    return this.#history.last(count);
  }

  /**
   * The last `count` texts that have all the words typed, each of which may be a word's beginning, oldest first.
   * Whatever is typed is words, never a query language.
   */
  search(typed: string, count: number): HistoryLine[] {
    return this.#history.search(typed, count);
  }

  /** All that was said and sent, oldest first, or with `typed` what a search finds. Read as it goes, not all at once. */
  past(typed?: string): Generator<PastEntry> {
    return typed === undefined ? this.#past.all() : this.#past.search(typed);
  }

  /**
   * Erases history and finished transfers from the files, but neither what has still to be delivered nor the numbers
   * that make everything arrive once. If the second step fails (a full disk), the first has been done.
   */
  erase(): { erased: number; kept: number } {
    const counts = this.transaction(() => {
      this.transfers.eraseFinished();
      const erasing = this.#history.erase();
      this.transfers.keepBeforeNextMessage();
      return erasing;
    });
    this.#database.purge();
    return counts;
  }
}
