import { MAX_READ_SEQUENCES, MAX_TEXT_BYTES } from '../../protocol/constants.js';
import { ExitCode, ProtocolError, UserError } from '../../protocol/errors.js';
import type { Item, ItemBody } from '../../protocol/messages.js';
import type { Disappearing } from './disappearing.js';
import type { SessionEvent } from './events.js';
import type { AfterCommit, Appended, Journal } from './journal/journal.js';
import type { Outbox } from './outbox.js';

export interface TextsOptions {
  journal: Journal;
  outbox: Outbox;
  disappearing: Disappearing;
  emit(event: SessionEvent): void;
  /** Calls back when what was emitted before has left this process. */
  whenShown(then: () => void): void;
  /** That a text was shown could not be written down. */
  onTrouble(error: UserError): void;
}

type TextBody = Extract<ItemBody, { kind: 'text' }>;
type ReadBody = Extract<ItemBody, { kind: 'read' }>;

/** What the two write to each other, and which of it has been shown and read. */
export class Texts {
  readonly #o: TextsOptions;
  #stopped = false;

  constructor(options: TextsOptions) {
    this.#o = options;
  }

  /** What has not been shown by now is shown by the next run. */
  stop(): void {
    this.#stopped = true;
  }

  /** Tells what an earlier run of this program had received and not yet shown. */
  replay(): void {
    for (const { id, text, at } of this.#o.journal.unshown()) {
      this.#o.emit({ event: 'message', id, from: 'peer', text, at, replayed: true });
      this.#markShown(id);
    }
  }

  /** Returns the message's id; the first one's if the `ref` is known. */
  say(text: string, ref?: string): string {
    if (text === '') throw new UserError(ExitCode.usage, 'a message needs a text', 'Type something first.');
    if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
      throw new UserError(ExitCode.usage, 'the message is longer than 64 KiB', 'Send it as a file instead.');
    }
    const { journal, outbox, disappearing, emit } = this.#o;
    const said = journal.append(
      { kind: 'text', text: text.toWellFormed(), lifetimeMs: disappearing.lifetimeMs },
      Date.now(),
      ref,
    );
    const { item, id, fresh } = said;
    const at = new Date(item.atMs).toISOString();
    // The peer is waiting, the writer knows what was written.
    outbox.flush(fresh ? item : undefined);
    if (fresh) emit({ event: 'message', id, from: 'me', text, at, ...(ref !== undefined && { ref }) });
    else if (ref !== undefined && journal.isFromBefore(said)) this.#tellAgain(said, ref);
    return id;
  }

  /** The run that took the ref first may have been killed before it could say so, or before it told of the delivery. */
  #tellAgain(said: Appended, ref: string): void {
    const { journal, emit } = this.#o;
    const { id, item } = said;
    if (item.body.kind !== 'text') return;
    const at = new Date(item.atMs).toISOString();
    emit({ event: 'message', id, from: 'me', text: item.body.text, at, ref, replayed: true });
    if (journal.isDelivered(said)) emit({ event: 'delivered', id });
  }

  /** The person has seen these texts of the peer's. Thousands may have come at once: what is one item costs one commit. */
  read(ids: readonly string[]): void {
    const { journal, outbox } = this.#o;
    journal.transaction(() => {
      const read = new Map<string, number[]>();
      for (const id of ids) {
        const key = journal.markReadByMe(id);
        if (!key) continue;
        const sequences = read.get(key.journalId) ?? [];
        sequences.push(key.sequence);
        read.set(key.journalId, sequences);
      }
      for (const [journalId, all] of read) {
        for (let at = 0; at < all.length; at += MAX_READ_SEQUENCES) {
          const sequences = all.slice(at, at + MAX_READ_SEQUENCES);
          journal.append({ kind: 'read', journalId, sequences }, Date.now());
        }
      }
    });
    outbox.flush();
  }

  /** A text of the peer's, inside the journal's transaction. */
  receive({ sequence, atMs }: Item, { text, lifetimeMs }: TextBody): AfterCommit {
    if (Buffer.byteLength(text) > MAX_TEXT_BYTES) throw new ProtocolError('a text beyond all bounds');
    const { journal, disappearing, emit } = this.#o;
    const id = `${journal.peerAck().journalId}-${sequence}`;
    return () => {
      emit({ event: 'message', id, from: 'peer', text, at: timeOf(atMs) });
      this.#markShown(id, () => {
        if (lifetimeMs) disappearing.schedule();
      });
    };
  }

  /** The peer's person has seen texts of mine. Inside the journal's transaction. */
  readByPeer({ journalId, sequences }: ReadBody): AfterCommit {
    const ids = this.#o.journal.markReadByPeer(journalId, sequences);
    return () => {
      for (const id of ids) this.#o.emit({ event: 'read', id });
    };
  }

  /** Not before the output has it: a slow reader's may wait in this process, and go with it. */
  #markShown(id: string, afterwards = () => {}): void {
    this.#o.whenShown(() => {
      if (this.#stopped) return;
      try {
        this.#o.journal.markShown(id);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        // What a full disk does not take is shown again by the next run.
        this.#o.onTrouble(error);
      }
      afterwards();
    });
  }
}

/** The peer's clock may say anything; no calendar goes beyond the year 9999. */
function timeOf(atMs: number): string {
  return new Date(Math.min(atMs, Date.UTC(9999, 11, 31, 23, 59, 59, 999))).toISOString();
}
