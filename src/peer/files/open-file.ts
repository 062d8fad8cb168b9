import { closeSync, fchmodSync, fsyncSync, ftruncateSync, futimesSync, openSync, writevSync } from 'node:fs';

/** An open file or folder. Closing it twice does no harm, though its number may be another's by then. */
export class OpenFile {
  #fd: number;

  /** `mode`: of a file that this makes. */
  constructor(path: string, flags: number, mode?: number) {
    this.#fd = openSync(path, flags, mode);
  }

  /** -1 once it is closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Everything in `parts`, one after the other, from `position` on. */
  write(parts: readonly Buffer[], position: number): void {
    const written = writevSync(this.#fd, parts, position);
    const left = dropBytes(parts, written);
    // A nearly full disk takes a part; the next call says what is wrong.
    if (left.length > 0) this.write(left, position + written);
  }

  truncate(length: number): void {
    ftruncateSync(this.#fd, length);
  }

  chmod(mode: number): void {
    fchmodSync(this.#fd, mode);
  }

  utimes(atime: number, mtime: number): void {
    futimesSync(this.#fd, atime, mtime);
  }

  sync(): void {
    fsyncSync(this.#fd);
  }

  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    closeSync(fd);
  }
}

function dropBytes(parts: readonly Buffer[], count: number): Buffer[] {
  let left = count;
  return parts.flatMap((part) => {
    const dropped = Math.min(left, part.length);
    left -= dropped;
    return dropped < part.length ? [part.subarray(dropped)] : [];
  });
}
