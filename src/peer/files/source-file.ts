import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { describeSystemError } from '../../shared/system-error.js';
import { SourceChangedError } from './file-errors.js';
import { READ_ONLY } from './open-flags.js';
import { wholeMs } from './whole-ms.js';

/** One offered file, open for reading, that is and stays what was offered. Waits for the disk: not for the main thread. */
export class SourceFile {
  readonly #fd: number;
  readonly #entry: ManifestEntry;
  readonly #version: string;

  constructor(path: string, entry: ManifestEntry) {
    this.#entry = entry;
    this.#fd = translate(entry, () => openSync(path, READ_ONLY));
    try {
      const { version, fits } = this.#look();
      if (!fits) throw new SourceChangedError(entry.path);
      this.#version = version;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Fills `into` with what begins at `offset`. */
  read(offset: number, into: Buffer): void {
    for (let filled = 0; filled < into.length; ) {
      const length = into.length - filled;
      const bytesRead = translate(this.#entry, () => readSync(this.#fd, into, filled, length, offset + filled));
      if (bytesRead === 0) throw new SourceChangedError(this.#entry.path);
      filled += bytesRead;
    }
  }

  /** Throws if it was written to since it was opened. */
  checkUnchanged(): void {
    if (this.#look().version !== this.#version) throw new SourceChangedError(this.#entry.path);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #look(): { version: string; fits: boolean } {
    const found = translate(this.#entry, () => fstatSync(this.#fd, { bigint: true }));
    const { size, mtimeNs } = found;
    const fits = found.isFile() && Number(size) === this.#entry.size && wholeMs(mtimeNs) === this.#entry.mtimeMs;
    return { version: `${size} ${mtimeNs}`, fits };
  }
}

function translate<T>(entry: ManifestEntry, use: () => T): T {
  try {
    return use();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined || !(error as NodeJS.ErrnoException).syscall) throw error;
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) throw new SourceChangedError(entry.path, { cause: error });
    const wrong = `"${entry.path}" cannot be read any more: ${describeSystemError(error)}`;
    throw new UserError(ExitCode.transferIncomplete, wrong, 'make it readable and send it again', { cause: error });
  }
}
