import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { describeSystemError } from '../files/disk-errors.js';

const OWNER_ONLY = 0o600;
const WRITE_BYTES = 64 * 1024;

/** Writes lines to a new file that only its owner may read. What cannot be written whole is removed. @throws UserError */
export function writeExport(path: string, lines: Iterable<string>): void {
  const file = create(path);
  try {
    try {
      fchmodSync(file, OWNER_ONLY);
      writeLines(file, lines);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    rmSync(path, { force: true });
    if (error instanceof UserError || errorCode(error) === undefined) throw error;
    throw unwritable(path, error);
  }
}

/** Never what is there already, nor where a link points to. */
function create(path: string): number {
  try {
    return openSync(path, 'wx', OWNER_ONLY);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw unwritable(path, error);
    const message = `${path} is already there, and is not overwritten`;
    throw new UserError(ExitCode.usage, message, 'Name another file.', { cause: error });
  }
}

function writeLines(file: number, lines: Iterable<string>): void {
  let waiting = '';
  for (const line of lines) {
    waiting += `${line}\n`;
    if (waiting.length < WRITE_BYTES) continue;
    writeAll(file, waiting);
    waiting = '';
  }
  writeAll(file, waiting);
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}

function unwritable(path: string, error: unknown): UserError {
  const hint = 'Check the folder, its permissions and the free space.';
  return new UserError(ExitCode.usage, `${path} cannot be written: ${describeSystemError(error)}`, hint, {
    cause: error,
  });
}
