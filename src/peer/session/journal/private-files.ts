import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../../../protocol/errors.js';

/** Only the owner may read what a journal keeps, whatever the umask says. */
const OWNER_ONLY = 0o600;

/**
 * Makes an empty file if there is none. One that is there is only tightened by its path: opening and closing it would
 * drop the locks that SQLite holds on it in this very process (POSIX).
 */
export function ensurePrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', OWNER_ONLY));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  chmodSync(path, OWNER_ONLY);
}

/** Tightens those of `paths` that exist, such as the siblings of a database copied from elsewhere. */
export function tightenFiles(paths: string[]): void {
  for (const path of paths) if (existsSync(path)) chmodSync(path, OWNER_ONLY);
}

/**
 * Whoever is killed at any moment leaves at `path` either nothing or all of `content`, on the disk. The temporary name
 * is always the same, so that a rest of an earlier attempt is overwritten: only the holder of a lock writes.
 */
export function writePrivateFile(path: string, content: Buffer, mode = OWNER_ONLY): void {
  const temporary = `${path}.new`;
  try {
    const file = openSync(temporary, 'w', mode);
    try {
      fchmodSync(file, mode);
      for (let written = 0; written < content.length; ) written += writeSync(file, content, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

/** Makes the names in a directory last. Windows has no such call and does it by itself. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const file = openSync(directory, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
