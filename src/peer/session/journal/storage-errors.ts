import { ExitCode, errorCode, errorMessage, UserError } from '../../../protocol/errors.js';

const FULL = /^(SQLITE_FULL|ENOSPC|EDQUOT)/;
const UNWRITABLE = /^(SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM|EROFS|EACCES|EPERM|ENOENT|ENOTDIR)/;
const FAILING = /^(SQLITE_IOERR|EIO)/;
const DAMAGED = /^(SQLITE_CORRUPT|SQLITE_NOTADB)/;
/** What SQLite says of a damaged header or schema comes with its code for everything else, SQLITE_ERROR. */
const SAYS_DAMAGED = /unsupported file format|malformed|no such (table|column)/;
const BUSY = /^SQLITE_(BUSY|LOCKED)/;

/**
 * What SQLite's or the file system's error under `directory` means to the person, or the error itself where it is not
 * theirs to mend.
 */
export function explainStorageError(error: unknown, directory: string): unknown {
  const code = errorCode(error);
  const fail = (message: string, hint: string) => new UserError(ExitCode.usage, message, hint, { cause: error });
  // libsql gives an open that failed no code, only this sentence with SQLite's number in it.
  if (UNWRITABLE.test(code ?? '') || /^ConnectionFailed\b/.test(errorMessage(error))) {
    return fail(
      `the journal in ${directory} cannot be opened or written to`,
      'Make the folder yours and writable, or name another one with --home.',
    );
  }
  if (code === undefined) return error;
  if (FULL.test(code)) {
    return fail(
      `the disk is full, so nothing more can be written to the journal in ${directory}`,
      'Free some space and try again: what the journal holds already is safe.',
    );
  }
  if (FAILING.test(code)) {
    return fail(
      `the disk fails under the journal in ${directory} (${code})`,
      'Check the disk and its free space, then try again.',
    );
  }
  if (BUSY.test(code)) return new BusyJournalError(directory, { cause: error });
  if (DAMAGED.test(code) || (code === 'SQLITE_ERROR' && SAYS_DAMAGED.test(errorMessage(error))))
    return damagedJournal(directory, { cause: error });
  return error;
}

/** A journal serves one process at a time. */
export class BusyJournalError extends UserError {
  constructor(directory: string, options?: ErrorOptions) {
    const hint = 'End the other p2p for this contact (a journal serves one at a time), or use another --home.';
    super(ExitCode.usage, `the journal in ${directory} is already open in another process`, hint, options);
  }
}

export function damagedJournal(directory: string, options?: ErrorOptions): UserError {
  return new UserError(
    ExitCode.usage,
    `the journal in ${directory} is damaged`,
    'Restore the whole folder from a backup, or move it away to begin afresh.',
    options,
  );
}
