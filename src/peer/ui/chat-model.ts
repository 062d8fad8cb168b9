import { sanitiseLine } from '../../protocol/sanitise.js';
import type { Conversation } from '../session/conversation.js';
import type { MessageEvent, SessionEvent } from '../session/events.js';
import { Attention } from './attention.js';
import { ConnectionTracker } from './connection-tracker.js';
import type { StatusModel } from './status-line.js';
import { MAX_ENTRIES, Transcript } from './transcript.js';
import { TransferBook } from './transfer-book.js';
import { eventLines, failureLines, type Lines, offerLines } from './wording.js';

/** Of what was said before: as many to begin with, and so many times as many whenever the person wants to see more. */
const HISTORY_LINES = 200;
const MORE = 5;

/** What the full screen shows of a session, kept up to date by its events. It knows no terminal. */
export class ChatModel {
  readonly peerName: string;
  readonly transcript: Transcript;
  readonly book: TransferBook;
  readonly attention = new Attention();
  /** What the person wrote before, oldest first. */
  readonly written: string[];
  /** Messages that came in below what is seen, while the person read further up. */
  newBelow = 0;
  #offset = 0;
  #recalled = HISTORY_LINES;
  readonly #conversation: Conversation;
  readonly #connection: ConnectionTracker;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    this.peerName = sanitiseLine(conversation.peer().name);
    this.transcript = new Transcript(this.peerName);
    const { state, transfers } = conversation.status();
    this.#connection = new ConnectionTracker(state);
    this.book = new TransferBook(transfers, state === 'connected');
    const history = conversation.history(HISTORY_LINES);
    for (const line of history) this.transcript.addMessage(line);
    this.written = history.filter((line) => line.from === 'me').map((line) => line.text);
  }

  /**
   * Takes an event in; `columns` is the width it is read at. Returns whether it is worth a bell. Someone who reads
   * further up stays where they are when lines come in below.
   */
  show(event: SessionEvent, columns: number): boolean {
    const before = this.offset > 0 ? this.transcript.height(columns) : 0;
    const calls = this.#take(event);
    if (this.offset > 0) this.offset += this.transcript.height(columns) - before;
    return calls;
  }

  /** Rows between the bottom of what is seen and the bottom of the transcript. */
  get offset(): number {
    return this.#offset;
  }

  set offset(rows: number) {
    this.#offset = Math.max(0, rows);
    if (this.#offset === 0) this.newBelow = 0;
  }

  /** Moves what is seen, on a `page` of rows, up by so many. Beyond the beginning is what was said before. */
  scroll(rows: number, columns: number, page: number): void {
    this.offset += rows;
    while (this.offset > this.transcript.height(columns) - page && this.#recallMore());
  }

  #recallMore(): boolean {
    if (this.#recalled >= MAX_ENTRIES) return false;
    this.#recalled *= MORE;
    return this.transcript.addOlder(this.#conversation.history(this.#recalled));
  }

  /** What was on the screen does not come back. */
  clear(): void {
    this.#recalled = MAX_ENTRIES;
    this.transcript.clear();
  }

  note(lines: Lines): void {
    this.transcript.addNote(new Date(), lines);
  }

  status(): StatusModel {
    const { state, mediatorLost } = this.#connection;
    const link = state === 'connected' ? this.#conversation.path().current : null;
    const { outbox, disappearing } = this.#conversation.status();
    return { peer: this.#conversation.peer(), state, link, mediatorLost, outbox, lifetime: disappearing.seconds };
  }

  /** Answers the person: the answer is shown from its beginning, even if it is longer than the `page` of rows. */
  answer(lines: Lines, columns: number, page: number): void {
    const before = this.transcript.height(columns);
    this.note(lines);
    this.offset = this.transcript.height(columns) - before - page;
  }

  /** What stands at the bottom of the screen is seen, if anyone looks: the peer may know. */
  acknowledge(): void {
    if (this.offset > 0) return;
    const seen = this.attention.seen();
    if (seen.length === 0) return;
    try {
      this.#conversation.read(seen);
    } catch (error) {
      // A full disk must not take the chat away.
      this.note(failureLines(error));
    }
  }

  #take(event: SessionEvent): boolean {
    const isNews = this.#connection.record(event);
    const transfer = this.book.record(event);
    switch (event.event) {
      case 'message':
        return this.#takeMessage(event);
      case 'delivered':
      case 'read':
        this.transcript.setReceipt(event.id, event.event);
        return false;
      case 'disappeared':
        this.transcript.remove(event.id);
        return false;
      case 'offer':
        if (transfer) this.note(offerLines(transfer, this.peerName));
        return true;
      default: {
        const lines = isNews ? eventLines(event, this.peerName, transfer) : undefined;
        if (lines) this.note(lines);
        return event.event === 'transferred';
      }
    }
  }

  #takeMessage(event: MessageEvent): boolean {
    this.transcript.addMessage({ ...event, state: event.from === 'me' ? 'sent' : 'received' });
    if (event.from === 'me') {
      this.transcript.markUnreadFrom(undefined);
      this.offset = 0;
      return false;
    }
    if (this.offset > 0) this.newBelow += 1;
    const isFirst = this.attention.arrived(event.id);
    if (isFirst && (!this.attention.looking || this.offset > 0)) this.transcript.markUnreadFrom(event.id);
    return true;
  }
}
