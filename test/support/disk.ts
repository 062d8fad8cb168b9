import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { errorCode } from '../../src/protocol/errors.js';

const FILLER = 'filler';

/** Mounting takes root, on Linux; without it there is no disk to fill. */
export const canMount = process.platform === 'linux' && process.getuid?.() === 0 && tryToMount();

/** A disk of its own (tmpfs) that can be filled up and be made read-only. It goes away when the test has finished. */
export class Disk {
  readonly path: string;

  constructor(bytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'turbo-beep-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', this.path]);
    onTestFinished(() => {
      // Lazily: a program that is just ending may still have its files open.
      execFileSync('umount', ['--lazy', this.path]);
      rmdirSync(this.path);
    });
  }

  /** Leaves room for nothing. */
  fill(): void {
    const page = Buffer.alloc(4096);
    try {
      for (;;) appendFileSync(join(this.path, FILLER), page);
    } catch (error) {
      if (errorCode(error) !== 'ENOSPC') throw error;
    }
  }

  makeRoom(): void {
    rmSync(join(this.path, FILLER));
  }

  /** Only while no file on it is open for writing. */
  makeReadOnly(): void {
    execFileSync('mount', ['-o', 'remount,ro', this.path]);
  }

  makeWritable(): void {
    execFileSync('mount', ['-o', 'remount,rw', this.path]);
  }
}

function tryToMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return mounted;
}
