import { MAX_CHECKPOINTS } from '../../protocol/constants.js';
import { DATA_HEAD_BYTES } from '../../protocol/data-frames.js';
import { ProtocolError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { newNumber, type ReaderThread } from './reader-thread.js';
import type { ReaderCalls } from './reader-worker.js';
import { SHA256_BYTES } from './running-digest.js';
import { newSlot } from './slot.js';
import type { SlotPiece, Wanted } from './source-stream.js';
import { unpackError } from './thread/crossing-error.js';
import type { Thread } from './thread/thread.js';
import type { Turn } from './turns.js';

/** One is sent from while the next one waits and another one is filled. */
const SLOTS = 3;

export type Piece =
  | { kind: 'resume'; entry: number; offset: number }
  /** `frame` has room for a data frame's header before the content. */
  | { kind: 'data'; entry: number; offset: number; frame: Buffer }
  | { kind: 'wholeFiles'; entry: number; frame: Buffer }
  | { kind: 'fileEnd'; entry: number; size: number; sha256: Buffer }
  /** `why`: a SourceChangedError for a file that is not what was offered, a UserError (7) for one that cannot be read. */
  | { kind: 'skip'; entry: number; why: Error };

/** The files of one offer, as a stream that can begin again anywhere, read by a thread of its own. */
export class Sending {
  readonly entries: readonly ManifestEntry[];
  readonly #sources: readonly string[];
  readonly #reader: ReaderThread;
  readonly #number = newNumber();
  readonly #closing = new AbortController();
  /** The thread that knows of these files. */
  #openedIn: Thread<ReaderCalls> | null = null;
  #warming: { stop: AbortController; stopped: Promise<void> } | null = null;

  /** `sources`: the absolute local path of each top-level name, in the manifest's order. */
  constructor(o: { entries: readonly ManifestEntry[]; sources: readonly string[]; reader: ReaderThread }) {
    this.entries = o.entries;
    this.#sources = o.sources;
    this.#reader = o.reader;
  }

  /**
   * Everything from where the receiver's content agrees to the end of the manifest, some pieces at a time, read ahead;
   * with `wholeFiles` only if the receiver takes them. Their memory is overwritten when the next ones are asked for.
   * Throws a ProtocolError for an impossible want.
   */
  async *pieces(wanted: Wanted, signal: AbortSignal, wholeFiles = false): AsyncGenerator<Piece[], void> {
    checkWanted(wanted, this.entries);
    const either = AbortSignal.any([signal, this.#closing.signal]);
    await this.#stopWarming();
    either.throwIfAborted();
    const stream = await this.#begin(wanted, wholeFiles);
    try {
      const ahead = Array.from({ length: SLOTS }, newSlot).map((slot) => ({ slot, turn: stream.read(slot) }));
      for (let next = ahead.shift(); next; next = ahead.shift()) {
        const { slot, turn } = next;
        const { found, ended } = await turn;
        either.throwIfAborted();
        if (found.length > 0) yield found.map((piece) => inSlot(piece, slot));
        either.throwIfAborted();
        if (ended) return;
        ahead.push({ slot, turn: stream.read(slot) });
      }
    } finally {
      await stream.end();
    }
  }

  /**
   * A receiver that was started anew reads what it has of a file before it says what it wants, and this side would have to
   * read the same again after that. Of a single file both may do so at the same time. Nobody needs to wait for it.
   */
  warmUp(): void {
    const [entry] = this.entries;
    if (this.#warming || this.entries.length !== 1 || !entry || entry.directory) return;
    const stop = new AbortController();
    // Whatever fails here is met again, and told, when the file is sent.
    this.#warming = { stop, stopped: this.#readOnly(stop.signal).catch(() => {}) };
  }

  async #readOnly(signal: AbortSignal): Promise<void> {
    const stream = await this.#begin(null, false);
    try {
      const slot = new SharedArrayBuffer(0);
      while (!signal.aborted && !(await stream.read(slot)).ended);
    } finally {
      await stream.end();
    }
  }

  async #stopWarming(): Promise<void> {
    this.#warming?.stop.abort(new Error('the receiver has said what it wants'));
    await this.#warming?.stopped;
  }

  /** Ends every stream and closes its file. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('sending has ended'));
    await this.#stopWarming();
    // A thread that has ended has closed everything.
    await this.#openedIn?.call('close', this.#number).catch(() => {});
  }

  async #begin(wanted: Wanted | null, wholeFiles: boolean): Promise<RemoteStream> {
    const thread = this.#reader.thread;
    // Another one than before has nothing of what that one had.
    if (this.#openedIn !== thread) {
      this.#openedIn = thread;
      await thread.call('open', this.#number, this.entries, this.#sources);
    }
    const stream = new RemoteStream(thread);
    await stream.begin(this.#number, wanted, wholeFiles);
    return stream;
  }
}

/** A SourceStream in the thread. */
class RemoteStream {
  readonly #thread: Thread<ReaderCalls>;
  readonly #number = newNumber();

  constructor(thread: Thread<ReaderCalls>) {
    this.#thread = thread;
  }

  begin(sending: number, wanted: Wanted | null, wholeFiles: boolean): Promise<void> {
    return this.#thread.call('begin', this.#number, sending, wanted, wholeFiles);
  }

  /** A failure is met where the turn is awaited; nobody awaits it if the reader stops before. */
  read(slot: SharedArrayBuffer): Promise<Turn<SlotPiece>> {
    const turn = this.#thread.call('read', this.#number, slot);
    turn.catch(() => {});
    return turn;
  }

  async end(): Promise<void> {
    // A thread that has ended has closed everything.
    await this.#thread.call('end', this.#number).catch(() => {});
  }
}

function inSlot(piece: SlotPiece, slot: SharedArrayBuffer): Piece {
  switch (piece.kind) {
    case 'resume':
      return piece;
    case 'data':
    case 'wholeFiles': {
      const { at, length, ...rest } = piece;
      return { ...rest, frame: Buffer.from(slot, at - DATA_HEAD_BYTES, DATA_HEAD_BYTES + length) };
    }
    case 'fileEnd': {
      const { kind, entry, size, at } = piece;
      return { kind, entry, size, sha256: Buffer.from(slot, at, SHA256_BYTES) };
    }
    case 'skip':
      return { ...piece, why: unpackError(piece.why) };
  }
}

function checkWanted({ entry, checkpoints }: Wanted, entries: readonly ManifestEntry[]): void {
  if (!Number.isInteger(entry) || entry < 0 || entry > entries.length) throw new ProtocolError('no such entry to want');
  if (checkpoints.length > MAX_CHECKPOINTS) throw new ProtocolError('too many checkpoints');
  const size = entries[entry]?.size ?? 0;
  let before = 0;
  for (const { length, sha256 } of checkpoints) {
    if (!Number.isInteger(length) || length <= before || length > size || sha256.length !== SHA256_BYTES) {
      throw new ProtocolError('impossible checkpoints');
    }
    before = length;
  }
}
