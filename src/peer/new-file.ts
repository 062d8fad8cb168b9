import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from '../protocol/errors.js';
import { isAlive } from './is-alive.js';

/** The process that writes it is in the name, so that what a killed one left can be told from what is being written. */
const TEMPORARY = /^\.turbo-beep-(\d+)\.new$/;

/**
 * Writes a file that is there whole or not at all, whenever it is killed, and never in the place of another. What a
 * killed process left beside it is removed by the next that writes to the folder.
 * @param path its folder must be there
 * @throws a system error; EEXIST if there is something at `path`
 */
export function writeNewFile(path: string, mode: number, content: Iterable<string>): void {
  const folder = dirname(path);
  removeRests(folder);
  const temporary = join(folder, `.turbo-beep-${process.pid}.new`);
  const file = openSync(temporary, 'wx', mode);
  try {
    try {
      fchmodSync(file, mode);
      for (const text of content) writeAll(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    putInPlace(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}

function putInPlace(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error) ?? '')) throw error;
    // FAT and some network shares have no hard links: there an empty file claims the name and is renamed over.
    closeSync(openSync(path, 'wx'));
    renameSync(temporary, path);
  }
}

function removeRests(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = Number(TEMPORARY.exec(name)?.[1] ?? Number.NaN);
    if (pid > 0 && (pid === process.pid || !isAlive(pid))) rmSync(join(folder, name), { force: true });
  }
}
