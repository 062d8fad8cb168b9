import { join } from 'node:path';
import { DATA_CHUNK_BYTES } from '../../protocol/constants.js';
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

/** What the receiver has: all entries before `entry`, and these prefixes of that one. */
export interface Wanted {
  entry: number;
  checkpoints: readonly Checkpoint[];
}

/** What a turn has put into its slot; `at` is where in it the file's content or digest begins. */
export type SlotPiece =
  | { kind: 'resume'; entry: number; offset: number }
  | { kind: 'data'; entry: number; offset: number; at: number; length: number }
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

  /**
   * Everything from where the receiver's content agrees to the end of the manifest. Without `wanted` the first file is
   * only read, and remembered for the stream that will be wanted.
   */
  constructor(sources: Sources, wanted: Wanted | null) {
    this.#sources = sources;
    this.#work = wanted ? this.#pieces(wanted) : this.#warmUp();
  }

  /** The next pieces, as many as fit. */
  takeTurn(slot: SharedArrayBuffer): Turn<SlotPiece> {
    this.#slot = new Slot(slot);
    return takeTurn(this.#work);
  }

  /** Closes its file. */
  end(): void {
    this.#work.return();
  }

  *#pieces({ entry: first, checkpoints }: Wanted): Generator<Step<SlotPiece>, void> {
    const { entries } = this.#sources;
    for (const [index, entry] of entries.entries()) {
      if (index < first) continue;
      if (!entry.directory) yield* this.#fileOrSkip(index, entry, index === first ? checkpoints : null);
      else if (index === first) yield { kind: 'resume', entry: index, offset: 0 };
    }
  }

  *#fileOrSkip(
    index: number,
    entry: ManifestEntry,
    checkpoints: readonly Checkpoint[] | null,
  ): Generator<Step<SlotPiece>, void> {
    let mustResume = checkpoints !== null;
    try {
      for (const step of this.#file(index, entry, checkpoints)) {
        if (step !== null && step !== FULL) mustResume = false;
        yield step;
      }
    } catch (error) {
      if (!(error instanceof SourceChangedError || error instanceof UserError)) throw error;
      if (mustResume) yield { kind: 'resume', entry: index, offset: 0 };
      yield { kind: 'skip', entry: index, why: packError(error) };
    }
  }

  *#file(
    index: number,
    entry: ManifestEntry,
    checkpoints: readonly Checkpoint[] | null,
  ): Generator<Step<SlotPiece>, void> {
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
