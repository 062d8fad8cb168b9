import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { isAlive } from '../is-alive.js';

const POLL_MS = 5;
/** The lock is held for a few milliseconds. A process that lives and still holds it after this is stopped or hung. */
const STALE_MS = 5_000;
/** Between making the file and writing the process's number into it there is next to nothing. */
const UNMARKED_STALE_MS = 500;
const GIVE_UP_MS = 15_000;

/**
 * Runs `work` while no other process runs its own with the same lock file. Synchronous, and meant for work of
 * milliseconds. The file names its owner's process; a killed owner's does not count.
 * @throws UserError if another process will not let go
 */
export function withLock<T>(path: string, work: () => T): T {
  const mark = `${process.pid} ${randomBytes(8).toString('hex')}`;
  const deadline = Date.now() + GIVE_UP_MS;
  while (!tryToCreate(path, mark)) {
    breakStaleLock(path);
    if (Date.now() > deadline) {
      throw new UserError(ExitCode.usage, `the settings stay locked by ${path}`, 'Try again, or delete that file.');
    }
    sleep(POLL_MS);
  }
  try {
    return work();
  } finally {
    if (readMark(path) === mark) rmSync(path, { force: true });
  }
}

function tryToCreate(path: string, mark: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    writeSync(file, mark);
    closeSync(file);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Moves a stale lock away before deleting it: of several processes that see it, one gets to move it, and whoever moved
 * another's fresh lock by mistake notices and puts it back.
 */
function breakStaleLock(path: string): void {
  const seen = readMark(path);
  if (seen === null || !isStale(path, seen)) return;
  const aside = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  if (readMark(aside) === seen) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

function isStale(path: string, mark: string): boolean {
  const pid = Number.parseInt(mark, 10);
  if (pid > 0 && pid !== process.pid && !isAlive(pid)) return true;
  // Its process was killed before it could write its number, or the number is somebody else's by now.
  const allowed = mark === '' ? UNMARKED_STALE_MS : STALE_MS;
  try {
    return Date.now() - statSync(path).mtimeMs > allowed;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function readMark(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
