import type { PathKind } from '../../protocol/messages.js';
import type { MessageEvent, SessionEvent, StatusEvent } from './events.js';

/**
 * One session as its face sees it: full screen, line mode and JSON mode are three callers of these methods and three
 * listeners to the same events. Methods that name something unknown throw a UserError (exit code 2).
 */
export interface Conversation {
  /** Listeners are called in order, synchronously, after the fact is on disk. Returns the function that unsubscribes. */
  subscribe(listener: (event: SessionEvent) => void): () => void;

  /** Journals the message and sends it when it can. The same `ref` again returns the first one's id. */
  message(text: string, ref?: string): string;
  /** Walks the paths, then offers them. Throws a UserError if one cannot be read. */
  send(paths: string[], ref?: string): Promise<string>;
  /** The same, unless an earlier run offered just these files, unchanged, and they are not all there: then that goes on. */
  sendOrResume(paths: string[]): Promise<string>;
  /** The person is here to receive: what takes a while to start is started before there is an offer. */
  expectOffers(): void;
  /** `into`: a local folder, created if missing. Rejects with a UserError if there is not room enough. */
  accept(transfer: string, into?: string): Promise<void>;
  decline(transfer: string): void;
  cancel(transfer: string): void;
  /** The person has seen these messages of the peer's. */
  read(ids: readonly string[]): void;
  /** Proposes that messages written from then on disappear so many seconds after delivery; 0: that they stay. */
  disappear(seconds: number): void;
  /** Agrees to what the peer has proposed, or does not. */
  answerDisappear(agreed: boolean): void;
  status(): StatusEvent;

  /** The last `count` messages, oldest first, both sides'. */
  history(count: number): HistoryLine[];
  search(text: string, count: number): HistoryLine[];
  /** Both keys' words in the same order on both sides. */
  verification(): Verification;
  /** The person has compared the words, or takes that back. It is remembered with the contact. */
  verify(verified: boolean): void;
  path(): PathReport;
  peer(): PeerCard;
  /** The key that the peer wants to be known by. Throws a UserError (exit code 6) if its key has named two. */
  succession(): { id: string; words: string } | null;
  /** From now on the peer is known by this key, which must be the one offered; it is not verified yet. */
  follow(id: string): void;

  /** Tells the peer, ends the link, releases everything. The last event is `bye`. */
  quit(): Promise<void>;
}

export interface HistoryLine extends Omit<MessageEvent, 'event' | 'replayed' | 'ref'> {
  state: 'sent' | 'delivered' | 'read' | 'received';
}

export interface PeerCard {
  id: string;
  /** The contact's name, or the id's first 16 digits. */
  name: string;
  verified: boolean;
}

export interface Verification {
  /** Ordered by peer id, so that both people see the same lines. */
  keys: { whose: 'me' | 'peer'; id: string; words: string[] }[];
}

export interface PathReport {
  current: { path: PathKind; remote: string; rttMs: number; group: string; why: string } | null;
  /** What else was tried since the last introduction, and how each ended. */
  attempts: { path: PathKind; remote: string; outcome: string }[];
}
