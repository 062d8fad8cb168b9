import { type FileHandle, open } from 'node:fs/promises';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { describeSystemError } from './disk-errors.js';
import { SourceChangedError } from './file-errors.js';
import { READ_ONLY } from './open-flags.js';
import { digestUpTo, type RunningDigest } from './running-digest.js';
import { wholeMs } from './whole-ms.js';

/** One offered file, open for reading, that is and stays what was offered. */
export class SourceFile {
  readonly #file: FileHandle;
  readonly #entry: ManifestEntry;
  readonly #version: string;

  private constructor(file: FileHandle, entry: ManifestEntry, version: string) {
    this.#file = file;
    this.#entry = entry;
    this.#version = version;
  }

  static async open(path: string, entry: ManifestEntry): Promise<SourceFile> {
    const file = await translate(entry, open(path, READ_ONLY));
    try {
      const { version, fits } = await look(file, entry);
      if (!fits) throw new SourceChangedError(entry.path);
      return new SourceFile(file, entry, version);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Exactly `length` bytes from `offset` on, in a buffer of their own. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await translate(
        this.#entry,
        this.#file.read(bytes, filled, length - filled, offset + filled),
      );
      if (bytesRead === 0) throw new SourceChangedError(this.#entry.path);
      filled += bytesRead;
    }
    return bytes;
  }

  /** Takes the file in from where `digest` is up to `length`. */
  async digestUpTo(length: number, digest: RunningDigest, signal: AbortSignal): Promise<void> {
    const reached = await translate(this.#entry, digestUpTo(length, this.#file, digest, signal));
    if (!reached) throw new SourceChangedError(this.#entry.path);
  }

  /** Throws if it was written to since it was opened. */
  async checkUnchanged(): Promise<void> {
    const { version } = await look(this.#file, this.#entry);
    if (version !== this.#version) throw new SourceChangedError(this.#entry.path);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function look(file: FileHandle, entry: ManifestEntry): Promise<{ version: string; fits: boolean }> {
  const found = await translate(entry, file.stat({ bigint: true }));
  const { size, mtimeNs } = found;
  const fits = found.isFile() && Number(size) === entry.size && wholeMs(mtimeNs) === entry.mtimeMs;
  return { version: `${size} ${mtimeNs}`, fits };
}

async function translate<T>(entry: ManifestEntry, use: Promise<T>): Promise<T> {
  try {
    return await use;
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined || !(error as NodeJS.ErrnoException).syscall) throw error;
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) throw new SourceChangedError(entry.path, { cause: error });
    const wrong = `"${entry.path}" cannot be read any more: ${describeSystemError(error)}`;
    throw new UserError(ExitCode.transferIncomplete, wrong, 'make it readable and send it again', { cause: error });
  }
}
