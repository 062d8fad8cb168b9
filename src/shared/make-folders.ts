import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../protocol/errors.js';

/**
 * Makes the folder and what is missing above it. Node's own `recursive` tries for ever, and cannot be interrupted, where
 * a folder that is there takes none: in /proc, or when it has just been deleted.
 * @returns the first folder that was made, undefined: it was there
 * @throws a system error
 */
export function makeFolders(path: string, mode = 0o777): string | undefined {
  try {
    mkdirSync(path, { mode });
    return path;
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && statSync(path).isDirectory()) return undefined;
    const above = dirname(path);
    if (errorCode(error) !== 'ENOENT' || existsSync(above)) throw error;
    const first = makeFolders(above, mode);
    return makeFolders(path, mode) === undefined ? first : (first ?? path);
  }
}
