import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errorCode } from '../../protocol/errors.js';
import type { Checkpoint, ManifestEntry } from '../../protocol/messages.js';
import { setAttributes } from './attributes.js';
import type { Folder } from './folder.js';
import { CREATE, READ_WRITE } from './open-flags.js';
import { checkpointLengths, digestUpTo, RunningDigest } from './running-digest.js';

const OWNER_ONLY = 0o600;

/** Where a partial file lies. */
export interface TempPlace {
  folder: Folder;
  name: string;
}

/** A file all of whose content is here. */
export interface WholeFile {
  parts: Buffer[];
  sha256: Buffer;
}

/** Writes a file, verified and durable. False, and nothing is left, if its content is not what `sha256` says. */
export async function receiveWhole(place: TempPlace, entry: ManifestEntry, file: WholeFile): Promise<boolean> {
  const partial = await PartialFile.create(place);
  try {
    if (file.parts.length > 0) await partial.append(file.parts);
    if (partial.digest().equals(file.sha256)) {
      await partial.seal(entry);
      return true;
    }
  } finally {
    await partial.close();
  }
  await unlink(place.folder.at(place.name));
  return false;
}

/** The temporary file that an entry is received into, with the running digest of what it holds. */
export class PartialFile {
  readonly #file: FileHandle;
  #digest = new RunningDigest();
  /** The digests at the checkpoints, after the file was read again. */
  #known: RunningDigest[] = [];

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Begins anew, whatever lies there. */
  static async create(place: TempPlace): Promise<PartialFile> {
    const path = place.folder.at(place.name);
    await place.folder.check();
    const file = await open(path, CREATE, OWNER_ONLY).catch(async (error) => {
      if (errorCode(error) !== 'EEXIST') throw error;
      await unlink(path);
      return open(path, CREATE, OWNER_ONLY);
    });
    return guarded(file, async () => {
      await place.folder.check();
      return new PartialFile(file);
    });
  }

  /** Goes on with what an earlier run left, and reads it; null if it left nothing fit for use. */
  static async reopen(place: TempPlace, size: number, signal: AbortSignal): Promise<PartialFile | null> {
    await place.folder.check();
    const file = await open(place.folder.at(place.name), READ_WRITE).catch((error) => {
      // A symlink in its place is not followed; create() takes it away.
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ELOOP') return null;
      throw error;
    });
    if (!file) return null;
    return guarded(file, async () => {
      const partial = new PartialFile(file);
      if (await partial.#read(size, signal)) return partial;
      await file.close();
      return null;
    });
  }

  async #read(size: number, signal: AbortSignal): Promise<boolean> {
    const found = await this.#file.stat();
    // More than one name means that writing here would change a file that is not ours alone.
    if (!found.isFile() || found.nlink !== 1 || found.size > size) return false;
    for (const length of checkpointLengths(found.size)) {
      if (!(await digestUpTo(length, this.#file, this.#digest, signal))) break;
      this.#known.push(this.#digest.copy());
    }
    return true;
  }

  get length(): number {
    return this.#digest.length;
  }

  /** After reopen() the spaced ones, later one at the exact end. */
  checkpoints(): Checkpoint[] {
    if (this.#known.length === 0 && this.length > 0) this.#known = [this.#digest.copy()];
    return this.#known.map((known) => ({ length: known.length, sha256: known.digest() }));
  }

  /** Keeps the first `offset` bytes: 0, or a checkpoint's length. */
  async resumeAt(offset: number): Promise<void> {
    const digest = offset === 0 ? new RunningDigest() : this.#known.find((known) => known.length === offset);
    if (!digest) throw new Error(`no checkpoint at ${offset}`);
    this.#digest = digest;
    this.#known = [];
    await this.#file.truncate(offset);
  }

  async append(parts: Buffer[]): Promise<void> {
    const writing = writeAll(this.#file, parts, this.length);
    this.#known = [];
    for (const part of parts) this.#digest.update(part);
    await writing;
  }

  digest(): Buffer {
    return this.#digest.digest();
  }

  /** Gives it its attributes, makes it durable and closes it. */
  async seal(entry: ManifestEntry): Promise<void> {
    await setAttributes(this.#file, entry);
    await this.#file.sync();
    await this.#file.close();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Closes `file` if `use` fails. */
async function guarded<T>(file: FileHandle, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function writeAll(file: FileHandle, parts: Buffer[], position: number): Promise<void> {
  const { bytesWritten } = await file.writev(parts, position);
  const left = dropBytes(parts, bytesWritten);
  // A nearly full disk takes a part; the next call says what is wrong.
  if (left.length > 0) await writeAll(file, left, position + bytesWritten);
}

function dropBytes(parts: Buffer[], count: number): Buffer[] {
  let left = count;
  return parts.flatMap((part) => {
    const dropped = Math.min(left, part.length);
    left -= dropped;
    return dropped < part.length ? [part.subarray(dropped)] : [];
  });
}
