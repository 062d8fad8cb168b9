import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { quoteForShell } from '../../protocol/shell-command.js';
import { describeSystemError } from '../../shared/system-error.js';

/** The largest key pair is 13 KiB of PEM; this leaves room for what people write around it. */
const MAX_BYTES = 256 * 1024;

export const OWN_KEYS = 'the key pair';
export const PASSPHRASE_FILE = 'the passphrase file';

export interface KeyFile {
  text: string;
  stats: Stats;
}

/**
 * Reads a file that should hold a key, of any kind (a pipe too), but no more of it than any key has.
 * @param what 'the key pair', 'the peer key': begins the error's sentence. @throws UserError
 */
export function readKeyFile(path: string, what: string): KeyFile {
  try {
    const file = openSync(path, 'r');
    try {
      const stats = fstatSync(file);
      if (stats.isDirectory()) {
        throw unusable(
          `${what} ${path} is a folder`,
          whatToName(what, `the file in it, such as ${fileIn(path, what)}`),
        );
      }
      return { text: readText(file, path, what), stats };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw explain(path, what, error);
  }
}

function readText(file: number, path: string, what: string): string {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length <= MAX_BYTES; length += read) {
    read = readSync(file, buffer, length, buffer.length - length, null);
  }
  if (length > MAX_BYTES)
    throw unusable(`${what} ${path} is too large to be one`, whatToName(what, 'a key file in PEM form'));
  return buffer.toString('utf8', 0, length);
}

function whatToName(what: string, key: string): string {
  return `Name ${what === PASSPHRASE_FILE ? 'a file whose first line is the passphrase' : key}.`;
}

function fileIn(folder: string, what: string): string {
  return join(folder, what === OWN_KEYS ? 'mykeypair.pem' : 'public.pem');
}

function explain(path: string, what: string, error: unknown): UserError {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return unusable(
        `${what} ${path} is not there`,
        what === OWN_KEYS ? 'Check the path. A new key pair is made by: p2p keygen DIR' : 'Check the path.',
        error,
      );
    case 'EACCES':
    case 'EPERM':
      return unusable(
        `${what} ${path} may not be read by you`,
        `Check its owner and permissions: ls -l ${quoteForShell(path)}`,
        error,
      );
    default:
      return unusable(
        `${what} ${path} cannot be read: ${describeSystemError(error)}`,
        'Check the path and the disk.',
        error,
      );
  }
}

function unusable(message: string, hint: string, cause?: unknown): UserError {
  return new UserError(ExitCode.usage, message, hint, { cause });
}
