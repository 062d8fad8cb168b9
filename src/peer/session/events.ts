import type { PathKind } from '../../protocol/messages.js';

/** What a session tells its face. JSON mode prints these as they are: the contract's events, field by field. */
export type SessionEvent =
  | { event: 'online' }
  | { event: 'waiting' }
  | { event: 'offline'; reason: string }
  | { event: 'connected'; peer: string; path: PathKind; remote: string; rttMs: number; group: string }
  | { event: 'path'; path: PathKind; remote: string; why: string }
  | { event: 'disconnected'; reason: string }
  | MessageEvent
  | { event: 'delivered'; id: string }
  | { event: 'read'; id: string }
  | { event: 'offer'; transfer: string; files: OfferedFile[]; replayed?: true }
  | { event: 'offered'; transfer: string; files: OfferedFile[]; ref?: string; replayed?: true }
  | { event: 'accepted'; transfer: string; into: string | null }
  | { event: 'declined'; transfer: string; reason?: string }
  | ProgressEvent
  | { event: 'file'; transfer: string; name: string; path: string; bytes: number; sha256: string }
  | { event: 'transferred'; transfer: string }
  /** `skipped`: the transfer is over, and all has arrived but so many files, which the sender had to leave out. */
  | { event: 'cancelled'; transfer: string; by: 'me' | 'peer'; reason?: string; skipped?: number }
  /** How long messages are to live after delivery, 0 for ever: proposed, or settled. */
  | { event: 'disappearing'; what: 'proposed' | 'agreed' | 'refused'; by: 'me' | 'peer'; seconds: number }
  /** A message has lived its time and is gone from this side's journal; the other side has a clock of its own. */
  | { event: 'disappeared'; id: string }
  /** The person has compared the words of both keys, or took that back; here or with `p2p contact verify`. */
  | { event: 'verified'; verified: boolean }
  /** The peer has another key, and asks to be known by it. `peer` is its present id. */
  | { event: 'succession'; peer: string; id: string; words: string; replayed?: true }
  /** From now on the peer is known here by this key (`peer`), or we are there (`me`). */
  | { event: 'succeeded'; whose: 'me' | 'peer'; id: string }
  | StatusEvent
  /** `file`: it is left out of that transfer, which goes on. `ref`: of the command that was not done. */
  | { event: 'error'; code: number; message: string; hint: string; transfer?: string; file?: string; ref?: string }
  | { event: 'bye' };

export interface MessageEvent {
  event: 'message';
  /** `journal-sequence`: the same on both sides and across restarts. */
  id: string;
  from: 'me' | 'peer';
  text: string;
  /** ISO 8601, the writer's clock. */
  at: string;
  ref?: string;
  replayed?: true;
}

export interface OfferedFile {
  /** Relative path, '/' between its parts; an empty folder ends in '/'. Not sanitised for a terminal. */
  name: string;
  size: number;
}

export interface ProgressEvent {
  event: 'progress';
  transfer: string;
  /** The file on its way now. */
  name: string;
  /** Of the whole transfer. */
  bytes: number;
  total: number;
  bytesPerSecond: number;
  etaSeconds: number | null;
}

export interface StatusEvent {
  event: 'status';
  state: 'connecting' | 'waiting' | 'connected' | 'reconnecting';
  path: PathKind | null;
  transfers: TransferStatus[];
  /** Messages and other items not yet on the peer's disk. */
  outbox: number;
  /** The person has compared the words of both keys. */
  verified: boolean;
  disappearing: DisappearingStatus;
}

export interface DisappearingStatus {
  /** What both have agreed on; 0: messages stay. */
  seconds: number;
  /** What this side has proposed, and the other has not answered yet. */
  proposed: number | null;
  /** What the other side has proposed, and waits for an answer. */
  asked: number | null;
}

export interface TransferStatus {
  transfer: string;
  direction: 'send' | 'receive';
  state: 'offered' | 'accepted';
  /** The first file, as in the offer. */
  name: string;
  files: number;
  bytes: number;
  total: number;
}
