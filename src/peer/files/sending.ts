import { join } from 'node:path';
import { DATA_CHUNK_BYTES, MAX_CHECKPOINTS } from '../../protocol/constants.js';
import { ProtocolError } from '../../protocol/errors.js';
import type { Checkpoint, ManifestEntry } from '../../protocol/messages.js';
import { readAhead } from './read-ahead.js';
import { RecentDigests } from './recent-digests.js';
import { RunningDigest, SHA256_BYTES } from './running-digest.js';
import { SourceFile } from './source-file.js';

export { SourceChangedError } from './file-errors.js';

/** How often a file is looked at while it is read. Before its end is told it is looked at in any case. */
const CHECK_EVERY_BYTES = 16 * 1024 * 1024;
/** A file that fits into one piece is read at once, and so many at the same time. */
const FILES_AHEAD = 16;
/** Reading less than this again costs next to nothing. */
const WORTH_REMEMBERING_BYTES = 1024 * 1024;

export type Piece =
  | { kind: 'resume'; entry: number; offset: number }
  | { kind: 'data'; entry: number; offset: number; bytes: Buffer }
  | { kind: 'fileEnd'; entry: number; size: number; sha256: Buffer };

/** What the receiver has: all entries before `entry`, and these prefixes of that one. */
export interface Wanted {
  entry: number;
  checkpoints: readonly Checkpoint[];
}

/** The files of one offer, as a stream that can begin again anywhere. */
export class Sending {
  readonly entries: readonly ManifestEntry[];
  readonly #sources: ReadonlyMap<string, string>;
  readonly #recent = new RecentDigests();
  readonly #running = new Set<AsyncGenerator<Piece, void>>();
  readonly #closing = new AbortController();
  #warming: { stop: AbortController; stopped: Promise<void> } | null = null;

  /** `sources`: the absolute local path of each top-level name, in the manifest's order. */
  constructor(o: { transfer: string; entries: readonly ManifestEntry[]; sources: readonly string[] }) {
    const tops = o.entries.filter(({ path }) => !path.includes('/'));
    this.entries = o.entries;
    this.#sources = new Map(tops.map(({ path }, index) => [path, o.sources[index] ?? '']));
  }

  /**
   * Everything from where the receiver's content agrees to the end of the manifest, read one piece ahead; each piece has
   * a buffer of its own. Throws a ProtocolError for an impossible want, a SourceChangedError for a file that is not what
   * was offered, a UserError (7) for one that cannot be read.
   */
  async *pieces(wanted: Wanted, signal: AbortSignal): AsyncGenerator<Piece, void> {
    checkWanted(wanted, this.entries);
    await this.#stopWarming();
    const either = AbortSignal.any([signal, this.#closing.signal]);
    const stream = readAhead(this.#stream(wanted, either));
    this.#running.add(stream);
    try {
      yield* stream;
      // close() ends the stream early, which must not look like its end.
      either.throwIfAborted();
    } finally {
      this.#running.delete(stream);
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
    this.#warming = { stop, stopped: this.#digestAll(entry, stop.signal).catch(() => {}) };
  }

  async #digestAll(entry: ManifestEntry, signal: AbortSignal): Promise<void> {
    const source = await SourceFile.open(this.#pathOf(entry), entry);
    try {
      const digest = new RunningDigest();
      while (digest.length < entry.size) {
        await source.digestUpTo(Math.min(digest.length + WORTH_REMEMBERING_BYTES, entry.size), digest, signal);
        this.#recent.keep(0, digest);
      }
    } finally {
      await source.close();
    }
  }

  async #stopWarming(): Promise<void> {
    this.#warming?.stop.abort(new Error('the receiver has said what it wants'));
    await this.#warming?.stopped;
  }

  /** Ends every stream and closes its file. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('sending has ended'));
    await Promise.all([this.#stopWarming(), ...[...this.#running].map((stream) => stream.return())]);
    this.#recent.clear();
  }

  async *#stream({ entry: first, checkpoints }: Wanted, signal: AbortSignal): AsyncGenerator<Piece, void> {
    const small = new SmallFilesAhead((index) => this.#wholeFile(index));
    try {
      for (let index = first; index < this.entries.length; index++) {
        signal.throwIfAborted();
        const entry = this.entries[index];
        if (entry && index > first && isSmall(entry)) yield* await small.take(index, this.entries);
        else if (entry && !entry.directory)
          yield* this.#file(index, entry, index === first ? checkpoints : null, signal);
        else if (index === first) yield { kind: 'resume', entry: index, offset: 0 };
      }
    } finally {
      await small.settle();
    }
  }

  async #wholeFile(index: number): Promise<Piece[]> {
    const entry = this.entries[index];
    if (!entry) throw new RangeError(`no entry ${index}`);
    const source = await SourceFile.open(this.#pathOf(entry), entry);
    try {
      const digest = new RunningDigest();
      const pieces: Piece[] = [];
      if (entry.size > 0) {
        const bytes = await source.read(0, entry.size);
        digest.update(bytes);
        pieces.push({ kind: 'data', entry: index, offset: 0, bytes });
        await source.checkUnchanged();
      }
      return [...pieces, { kind: 'fileEnd', entry: index, size: entry.size, sha256: digest.digest() }];
    } finally {
      await source.close();
    }
  }

  async *#file(
    index: number,
    entry: ManifestEntry,
    checkpoints: readonly Checkpoint[] | null,
    signal: AbortSignal,
  ): AsyncGenerator<Piece, void> {
    const source = await SourceFile.open(this.#pathOf(entry), entry);
    try {
      const digest = await this.#agreed(source, index, checkpoints ?? [], signal);
      if (checkpoints) yield { kind: 'resume', entry: index, offset: digest.length };
      while (digest.length < entry.size) {
        signal.throwIfAborted();
        const offset = digest.length;
        const bytes = await source.read(offset, Math.min(DATA_CHUNK_BYTES, entry.size - offset));
        digest.update(bytes);
        if (entry.size > WORTH_REMEMBERING_BYTES) this.#recent.keep(index, digest);
        if (crosses(CHECK_EVERY_BYTES, offset, digest.length)) await source.checkUnchanged();
        yield { kind: 'data', entry: index, offset, bytes };
      }
      await source.checkUnchanged();
      yield { kind: 'fileEnd', entry: index, size: entry.size, sha256: digest.digest() };
    } finally {
      await source.close();
    }
  }

  /** The running digest of the longest prefix that both sides have: up to the last checkpoint before one that differs. */
  async #agreed(
    source: SourceFile,
    index: number,
    checkpoints: readonly Checkpoint[],
    signal: AbortSignal,
  ): Promise<RunningDigest> {
    const last = checkpoints.at(-1);
    const recent = last && this.#recent.longestWithin(index, last.length);
    if (recent) {
      await source.digestUpTo(last.length, recent, signal);
      // Then all before it agree as well: they are prefixes of this one.
      if (recent.digest().equals(last.sha256)) return recent;
    }
    let agreed = new RunningDigest();
    const digest = new RunningDigest();
    for (const { length, sha256 } of checkpoints) {
      await source.digestUpTo(length, digest, signal);
      if (!digest.digest().equals(sha256)) break;
      agreed = digest.copy();
    }
    return agreed;
  }

  #pathOf({ path }: ManifestEntry): string {
    const [top = '', ...rest] = path.split('/');
    return join(this.#sources.get(top) ?? '', ...rest);
  }
}

/** The small files that follow one being sent, on their way into memory. */
class SmallFilesAhead {
  readonly #read: (index: number) => Promise<Piece[]>;
  readonly #reading = new Map<number, Promise<Piece[]>>();

  constructor(read: (index: number) => Promise<Piece[]>) {
    this.#read = read;
  }

  take(index: number, entries: readonly ManifestEntry[]): Promise<Piece[]> {
    for (let next = index; next < index + FILES_AHEAD; next++) {
      const entry = entries[next];
      if (entry && isSmall(entry)) this.#begin(next);
    }
    const pieces = this.#begin(index);
    this.#reading.delete(index);
    return pieces;
  }

  /** Resolves when no file is open any more. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#reading.values());
  }

  #begin(index: number): Promise<Piece[]> {
    const begun = this.#reading.get(index);
    if (begun) return begun;
    const pieces = this.#read(index);
    // A failure is met when its file's turn comes, if it ever does.
    pieces.catch(() => {});
    this.#reading.set(index, pieces);
    return pieces;
  }
}

function isSmall({ directory, size }: ManifestEntry): boolean {
  return !directory && size <= DATA_CHUNK_BYTES;
}

function crosses(boundary: number, from: number, to: number): boolean {
  return Math.floor(from / boundary) !== Math.floor(to / boundary);
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
