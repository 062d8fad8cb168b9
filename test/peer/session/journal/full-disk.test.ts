import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Journal, TransferRecord } from '../../../../src/peer/session/journal/journal.js';
import { ExitCode, UserError } from '../../../../src/protocol/errors.js';
import { closeJournal, newFolder, openJournal, write } from './fixture.js';

/** Only root may mount the small disk that these tests fill. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  const folder = newFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  execFileSync('umount', [folder]);
  return true;
}

const transfer: TransferRecord = {
  transfer: 'ab'.repeat(16),
  direction: 'send',
  state: 'offered',
  outcome: null,
  into: null,
  sources: [],
  ref: null,
  bytes: 0,
  entries: 0,
  progress: '',
  announced: true,
};

describe.skipIf(!canMount)('on a disk of 1 MiB (needs root)', () => {
  let disk: string;
  let journal: Journal | null;

  beforeEach(() => {
    disk = newFolder();
    journal = null;
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', disk]);
  });

  afterEach(() => {
    if (journal) closeJournal(journal);
    // Lazily: libsql lets go of a closed database's files when its statements are collected.
    execFileSync('umount', ['-l', disk]);
  });

  function fill(): void {
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
  }

  function empty(): void {
    rmSync(join(disk, 'filler'));
  }

  function userErrorOf(work: () => unknown): UserError {
    try {
      work();
    } catch (error) {
      if (error instanceof UserError) return error;
      throw error;
    }
    throw new Error('nothing was thrown');
  }

  it('a write that no longer fits is a user error, is undone, and works when there is room again', () => {
    const own = openJournal(disk);
    journal = own;
    write(own, 'before');
    fill();
    const long = 'x'.repeat(60_000);
    const error = userErrorOf(() => {
      for (;;) write(own, long);
    });
    expect(error.exitCode).toBe(ExitCode.usage);
    expect(error.message).toContain('the disk is full');
    expect(error.hint).toContain('Free some space');
    const last = own.lastSequence();
    expect(own.history(99)).toHaveLength(last);
    expect(own.outboxSize()).toBe(last);

    const together = () =>
      own.transaction(() => {
        own.transfers.save({ ...transfer, progress: 'never' });
        write(own, long);
      });
    expect(userErrorOf(together).message).toContain('the disk is full');
    expect(own.transfers.find(transfer.transfer)).toBeNull();

    empty();
    expect(write(own, 'after').item.sequence).toBe(last + 1);
    expect(own.history(1)[0]?.text).toBe('after');
    expect(own.search('before', 1)).toHaveLength(1);
  });

  it('opening is refused with what to do, and works when there is room again', () => {
    fill();
    const error = userErrorOf(() => openJournal(disk));
    expect(error.exitCode).toBe(ExitCode.usage);
    expect(error.message).toContain('the disk is full');
    expect(existsSync(join(disk, 'journal.key.new'))).toBe(false);
    empty();
    journal = openJournal(disk);
    expect(write(journal, 'after').item.sequence).toBe(1);
  });

  it('that can only be read, opening is refused with what to do', () => {
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    const error = userErrorOf(() => openJournal(disk));
    expect(error.exitCode).toBe(ExitCode.usage);
    expect(error.message).toContain('cannot be opened or written to');
  });

  it('that can only be read again, a journal is not opened but not harmed', () => {
    const made = newFolder();
    closeJournal(openJournal(made));
    cpSync(made, disk, { recursive: true });
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    expect(userErrorOf(() => openJournal(disk)).message).toContain('cannot be opened or written to');
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    journal = openJournal(disk);
    expect(write(journal, 'after').item.sequence).toBe(1);
  });
});
