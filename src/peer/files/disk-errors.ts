import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { describeSystemError } from '../../shared/system-error.js';

/**
 * What the person can mend when writing into `folder` failed: a UserError (7, the transfer can go on). Anything but a
 * system error is returned as it is.
 */
export function explainDiskError(error: unknown, folder: string): unknown {
  const code = errorCode(error);
  if (error instanceof UserError || code === undefined || !(error as NodeJS.ErrnoException).syscall) return error;
  const [wrong, hint] = explanations[code] ?? [`cannot be written to: ${describeSystemError(error)}`, 'See to it'];
  const goesOn = `${hint}; the transfer then goes on where it stopped.`;
  return new UserError(ExitCode.transferIncomplete, `"${folder}" ${wrong}`, goesOn, { cause: error });
}

const full = ['is on a disk that is full', 'Free some space'] as const;
const forbidden = ['cannot be written to: permission denied', 'Make it writable for you'] as const;
const replaced = ['holds something in the place of a folder of this transfer', 'Move that away'] as const;

const explanations: Record<string, readonly [wrong: string, hint: string]> = {
  ENOSPC: full,
  EDQUOT: ['is on a disk where your quota is used up', 'Free some space'],
  EROFS: ['is on a read-only disk', 'Make it writable'],
  EACCES: forbidden,
  EPERM: forbidden,
  ENOTDIR: replaced,
  ELOOP: replaced,
  EEXIST: ['is not a folder', 'Choose another one'],
  ENOENT: ['was taken away while files were coming in', 'Put it back, or leave it: it is made anew'],
};
