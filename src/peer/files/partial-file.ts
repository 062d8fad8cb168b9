import { fstatSync, unlinkSync } from 'node:fs';
import { errorCode } from '../../protocol/errors.js';
import type { Checkpoint, ManifestEntry } from '../../protocol/messages.js';
import { setAttributes } from './attributes.js';
import type { Folder } from './folder.js';
import { OpenFile } from './open-file.js';
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
  entry: number;
  bytes: Buffer;
  /** Hex. */
  sha256: string;
}

/** Writes a file, durable on return; its content has been verified. */
export function writeWhole({ folder, name }: TempPlace, entry: ManifestEntry, bytes: Buffer): void {
  folder.check();
  const file = createAnew(folder.at(name));
  try {
    folder.check();
    if (bytes.length > 0) file.write(bytes, 0);
    setAttributes(file, entry);
    file.sync();
  } finally {
    file.close();
  }
}

/** The temporary file that an entry is received into, with the running digest of what it holds. */
export class PartialFile {
  readonly #file: OpenFile;
  #digest = new RunningDigest();
  /** The digests at the checkpoints, after the file was read again. */
  #known: RunningDigest[] = [];
  /** The file as it was when it was read again; null once this has written to it. */
  #asRead: string | null = null;

  private constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Begins anew, whatever lies there. */
  static create({ folder, name }: TempPlace): PartialFile {
    folder.check();
    const file = createAnew(folder.at(name));
    try {
      folder.check();
      return new PartialFile(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Goes on with what an earlier run left, and reads it; null if it left nothing fit for use. */
  static async reopen({ folder, name }: TempPlace, size: number, signal: AbortSignal): Promise<PartialFile | null> {
    folder.check();
    const file = openIfThere(folder.at(name));
    if (!file) return null;
    const partial = new PartialFile(file);
    let isFit = false;
    try {
      isFit = await partial.#read(size, signal);
    } finally {
      if (!isFit) file.close();
    }
    return isFit ? partial : null;
  }

  async #read(size: number, signal: AbortSignal): Promise<boolean> {
    const found = fstatSync(this.#file.fd);
    // More than one name means that writing here would change a file that is not ours alone.
    if (!found.isFile() || found.nlink !== 1 || found.size > size) return false;
    this.#asRead = this.#version();
    for (const length of checkpointLengths(found.size)) {
      if (!(await digestUpTo(length, this.#file.fd, this.#digest, signal))) break;
      this.#known.push(this.#digest.copy());
    }
    return true;
  }

  /** Somebody has written to the file, or taken it away, since it was read again. */
  wasChanged(): boolean {
    return this.#asRead !== null && this.#asRead !== this.#version();
  }

  #version(): string {
    const { size, mtimeNs, ctimeNs } = fstatSync(this.#file.fd, { bigint: true });
    return `${size} ${mtimeNs} ${ctimeNs}`;
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
  resumeAt(offset: number): void {
    const digest = offset === 0 ? new RunningDigest() : this.#known.find((known) => known.length === offset);
    if (!digest) throw new Error(`no checkpoint at ${offset}`);
    this.#digest = digest;
    this.#known = [];
    this.#asRead = null;
    this.#file.truncate(offset);
  }

  append(bytes: Buffer): void {
    this.#file.write(bytes, this.length);
    this.#known = [];
    this.#asRead = null;
    this.#digest.update(bytes);
  }

  digest(): Buffer {
    return this.#digest.digest();
  }

  /** Gives it its attributes, makes it durable and closes it. */
  seal(entry: ManifestEntry): void {
    setAttributes(this.#file, entry);
    this.#file.sync();
    this.#file.close();
  }

  close(): void {
    this.#file.close();
  }
}

function createAnew(path: string): OpenFile {
  try {
    return new OpenFile(path, CREATE, OWNER_ONLY);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  unlinkSync(path);
  return new OpenFile(path, CREATE, OWNER_ONLY);
}

function openIfThere(path: string): OpenFile | null {
  try {
    return new OpenFile(path, READ_WRITE);
  } catch (error) {
    // A symlink in its place is not followed; create() takes it away.
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ELOOP') return null;
    throw error;
  }
}
