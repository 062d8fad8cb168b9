import { hash } from 'node:crypto';
import { join } from 'node:path';
import { DATA_CHUNK_BYTES, FILE_END_COST } from '../../protocol/constants.js';
import { UserError } from '../../protocol/errors.js';
import type { Checkpoint, ManifestEntry } from '../../protocol/messages.js';
import { SourceChangedError } from './file-errors.js';
import { REMEMBERED, RecentDigests } from './recent-digests.js';
import { HASHED_PIECE_BYTES, RunningDigest, SHA256_BYTES } from './running-digest.js';
import { Slot } from './slot.js';
import { SourceFile } from './source-file.js';
import { type CrossingError, packError } from './thread/crossing-error.js';
import { FULL, type Step, type Turn, takeTurn } from './turns.js';

/** How often a file is looked at while it is read. Before its end is told it is looked at in any case. */
const CHECK_EVERY_BYTES = 16 * 1024 * 1024;
/** Reading less than this again costs next to nothing. */
const WORTH_REMEMBERING_BYTES = 1024 * 1024;
/** What is only hashed is read in pieces that stay in the processor's cache until they are. */
const scratch = Buffer.allocUnsafeSlow(HASHED_PIECE_BYTES);

/** Longer ones go alone: a slow path sends no more than this at once. */
const SMALL_BYTES = 32 * 1024;

/** What the receiver has: all entries before `entry`, and these prefixes of that one. */
export interface Wanted {
  entry: number;
  checkpoints: readonly Checkpoint[];
}

/** What a turn has put into its slot; `at` is where in it the files' content or the digest begins. */
export type SlotPiece =
  | { kind: 'resume'; entry: number; offset: number }
  | { kind: 'data'; entry: number; offset: number; at: number; length: number }
  /** Small files from `entry` on, as wholeFilesIn() finds them. */
  | { kind: 'wholeFiles'; entry: number; at: number; length: number }
  | { kind: 'fileEnd'; entry: number; size: number; at: number }
  /** The file is not what was offered, or cannot be read: nothing more comes of it. */
  | { kind: 'skip'; entry: number; why: CrossingError };

/** The files of one offer, and what is known of those that were read last. */
export class Sources {
  readonly entries: readonly ManifestEntry[];
  readonly recent = new RecentDigests();
  readonly #paths: ReadonlyMap<string, string>;

  /** `paths`: the absolute local path of each top-level name, in the manifest's order. */
  constructor(entries: readonly ManifestEntry[], paths: readonly string[]) {
    const tops = entries.filter(({ path }) => !path.includes('/'));
    this.entries = entries;
    this.#paths = new Map(tops.map(({ path }, index) => [path, paths[index] ?? '']));
  }

  open(entry: ManifestEntry): SourceFile {
    const [top = '', ...rest] = entry.path.split('/');
    return new SourceFile(join(this.#paths.get(top) ?? '', ...rest), entry);
  }
}

/** The content of files, read and hashed in turns by a thread that may wait for the disk. */
export class SourceStream {
  readonly #sources: Sources;
  readonly #work: Generator<Step<SlotPiece>, void>;
  #slot = new Slot(new SharedArrayBuffer(0));
  /** The small files that were put into the slot last, and not yet told of. */
  #wholeFiles: Extract<SlotPiece, { kind: 'wholeFiles' }> | null = null;

  /**
   * Everything from where the receiver's content agrees to the end of the manifest, small files many in a piece if the
   * receiver takes `wholeFiles`. Without `wanted` the first file is only read, and remembered for the stream that will
   * be wanted.
   */
  constructor(sources: Sources, wanted: Wanted | null, wholeFiles = false) {
    this.#sources = sources;
    this.#work = wanted ? this.#pieces(wanted, wholeFiles) : this.#warmUp();
  }

  /** The next pieces, as many as fit. */
  takeTurn(slot: SharedArrayBuffer): Turn<SlotPiece> {
    this.#slot = new Slot(slot);
    const turn = takeTurn(this.#work);
    turn.found.push(...this.#endWholeFiles());
    return turn;
  }

  /** Closes its file. */
  end(): void {
    this.#work.return();
  }

  *#pieces({ entry: first, checkpoints }: Wanted, wholeFiles: boolean): Generator<Step<SlotPiece>, void> {
    const { entries } = this.#sources;
    if (entries[first]?.directory) yield { kind: 'resume', entry: first, offset: 0 };
    for (const [index, entry] of entries.entries()) {
      if (index < first || entry.directory) continue;
      const known = index === first ? checkpoints : null;
      const isSmall = wholeFiles && entry.size <= SMALL_BYTES && !known?.length;
      const file = isSmall ? this.#smallFile(index, entry, known !== null) : this.#file(index, entry, known);
      yield* this.#orSkip(index, file, known !== null);
    }
  }

  *#orSkip(index: number, file: Iterable<Step<SlotPiece>>, isFirst: boolean): Generator<Step<SlotPiece>, void> {
    let mustResume = isFirst;
    try {
      for (const step of file) {
        if (step !== null && step !== FULL) mustResume = false;
        yield step;
      }
    } catch (error) {
      if (!(error instanceof SourceChangedError || error instanceof UserError)) throw error;
      yield* this.#endWholeFiles();
      if (mustResume) yield { kind: 'resume', entry: index, offset: 0 };
      yield { kind: 'skip', entry: index, why: packError(error) };
    }
  }

  *#smallFile(index: number, entry: ManifestEntry, isFirst: boolean): Generator<Step<SlotPiece>, void> {
    if (isFirst) yield { kind: 'resume', entry: index, offset: 0 };
    const file = this.#sources.open(entry);
    try {
      const room = yield* this.#roomAmongWholeFiles(index, entry.size + SHA256_BYTES);
      const content = room.subarray(0, entry.size);
      file.read(0, content);
      file.checkUnchanged();
      hash('sha256', content, 'buffer').copy(room, entry.size);
      this.#addToWholeFiles(index, room);
    } finally {
      file.close();
    }
    yield null;
  }

  /** Room for a file and its digest behind those that it can go with; what the room holds counts once it was added. */
  *#roomAmongWholeFiles(index: number, length: number): Generator<Step<SlotPiece>, Buffer> {
    const piece = this.#wholeFiles;
    const ends = piece ? (index + 1 - piece.entry) * FILE_END_COST : 0;
    const room = piece && piece.length + length + ends <= DATA_CHUNK_BYTES ? this.#slot.extend(length) : null;
    if (room) return room;
    yield* this.#endWholeFiles();
    return yield* this.#room(length);
  }

  #addToWholeFiles(index: number, { byteOffset: at, length }: Buffer): void {
    if (this.#wholeFiles) this.#wholeFiles.length += length;
    else this.#wholeFiles = { kind: 'wholeFiles', entry: index, at, length };
  }

  *#endWholeFiles(): Generator<SlotPiece, void> {
    const piece = this.#wholeFiles;
    // First: the turn may end with the yield.
    this.#wholeFiles = null;
    if (piece) yield piece;
  }

  *#file(
    index: number,
    entry: ManifestEntry,
    checkpoints: readonly Checkpoint[] | null,
  ): Generator<Step<SlotPiece>, void> {
    yield* this.#endWholeFiles();
    const file = this.#sources.open(entry);
    try {
      const digest = yield* this.#agreed(file, index, checkpoints ?? []);
      if (checkpoints) yield { kind: 'resume', entry: index, offset: digest.length };
      while (digest.length < entry.size) {
        const offset = digest.length;
        const bytes = yield* this.#room(Math.min(DATA_CHUNK_BYTES, entry.size - offset));
        file.read(offset, bytes);
        digest.update(bytes);
        if (crosses(WORTH_REMEMBERING_BYTES, offset, digest.length)) this.#sources.recent.keep(index, digest);
        if (crosses(CHECK_EVERY_BYTES, offset, digest.length)) file.checkUnchanged();
        yield { kind: 'data', entry: index, offset, at: bytes.byteOffset, length: bytes.length };
      }
      file.checkUnchanged();
      const room = yield* this.#room(SHA256_BYTES);
      digest.digest().copy(room);
      yield { kind: 'fileEnd', entry: index, size: entry.size, at: room.byteOffset };
    } finally {
      file.close();
    }
  }

  *#room(length: number): Generator<Step<SlotPiece>, Buffer> {
    while (true) {
      const room = this.#slot.take(length);
      if (room) return room;
      yield FULL;
    }
  }

  /** The running digest of the longest prefix that both sides have: up to the last checkpoint before one that differs. */
  *#agreed(
    file: SourceFile,
    index: number,
    checkpoints: readonly Checkpoint[],
  ): Generator<Step<SlotPiece>, RunningDigest> {
    const last = checkpoints.at(-1);
    const recent = last && this.#sources.recent.longestWithin(index, last.length);
    if (recent) {
      yield* digestUpTo(last.length, file, recent);
      // Then all before it agree as well: they are prefixes of this one.
      if (recent.digest().equals(last.sha256)) return recent;
    }
    let agreed = new RunningDigest();
    const digest = new RunningDigest();
    for (const { length, sha256 } of checkpoints) {
      yield* digestUpTo(length, file, digest);
      if (!digest.digest().equals(sha256)) break;
      agreed = digest.copy();
    }
    return agreed;
  }

  *#warmUp(): Generator<Step<SlotPiece>, void> {
    const [entry] = this.#sources.entries;
    if (!entry) return;
    const file = this.#sources.open(entry);
    try {
      const digest = new RunningDigest();
      // The receiver may be slower to read what it has, and have much less: what is near to any length is remembered.
      const spacing = Math.max(WORTH_REMEMBERING_BYTES, Math.ceil(entry.size / REMEMBERED));
      while (digest.length < entry.size) {
        yield* digestUpTo(Math.min(digest.length + spacing, entry.size), file, digest);
        this.#sources.recent.keep(0, digest);
      }
    } finally {
      file.close();
    }
  }
}

function* digestUpTo(length: number, file: SourceFile, digest: RunningDigest): Generator<null, void> {
  while (digest.length < length) {
    const bytes = scratch.subarray(0, length - digest.length);
    file.read(digest.length, bytes);
    digest.update(bytes);
    yield null;
  }
}

function crosses(boundary: number, from: number, to: number): boolean {
  return Math.floor(from / boundary) !== Math.floor(to / boundary);
}
