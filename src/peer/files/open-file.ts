import { closeSync, fchmodSync, fsyncSync, ftruncateSync, futimesSync, openSync, writeSync } from 'node:fs';

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

  /** All of `bytes`, from `position` on. */
  write(bytes: Buffer, position: number): void {
    const written = writeSync(this.#fd, bytes, 0, bytes.length, position);
    // A nearly full disk takes a part; the next call says what is wrong.
    if (written < bytes.length) this.write(bytes.subarray(written), position + written);
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
