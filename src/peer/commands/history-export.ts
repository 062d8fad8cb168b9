import { existsSync } from 'node:fs';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { describeSystemError } from '../../shared/system-error.js';
import { writeNewFile } from '../new-file.js';

const OWNER_ONLY = 0o600;
const WRITE_CHARACTERS = 64 * 1024;

/** Writes lines to a new file that only its owner may read: all of them or, whatever happens, none. @throws UserError */
export function writeExport(path: string, lines: Iterable<string>): void {
  try {
    // Before the work: it may take long.
    if (existsSync(path)) throw taken(path);
    writeNewFile(path, OWNER_ONLY, inPortions(lines));
  } catch (error) {
    if (error instanceof UserError || errorCode(error) === undefined) throw error;
    throw errorCode(error) === 'EEXIST' ? taken(path, error) : unwritable(path, error);
  }
}

function* inPortions(lines: Iterable<string>): Generator<string> {
  let waiting = '';
  for (const line of lines) {
    waiting += `${line}\n`;
    if (waiting.length < WRITE_CHARACTERS) continue;
    yield waiting;
    waiting = '';
  }
  yield waiting;
}

/** Never what is there already, nor where a link points to. */
function taken(path: string, cause?: unknown): UserError {
  return new UserError(ExitCode.usage, `${path} is already there, and is not overwritten`, 'Name another file.', {
    cause,
  });
}

function unwritable(path: string, error: unknown): UserError {
  const hint = 'Check the folder, its permissions and the free space.';
  return new UserError(ExitCode.usage, `${path} cannot be written: ${describeSystemError(error)}`, hint, {
    cause: error,
  });
}
