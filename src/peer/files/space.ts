import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';

/**
 * Bytes that this person may still write in `folder`, which need not exist yet: then its nearest existing ancestor's.
 * Infinity where the file system does not say, or not to this person: whoever writes there will hear why not.
 */
export async function freeBytes(folder: string): Promise<number> {
  const path = resolve(folder);
  try {
    const { blocks, bavail, bsize } = await statfs(path);
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  } catch (error) {
    const missing = errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR';
    return missing && dirname(path) !== path ? freeBytes(dirname(path)) : Number.POSITIVE_INFINITY;
  }
}

/** Throws a UserError unless `bytes` more fit into `into`. */
export async function ensureRoom(into: string, bytes: number): Promise<void> {
  const free = await freeBytes(into);
  if (free >= bytes) return;
  throw new UserError(
    ExitCode.transferIncomplete,
    `there is not room enough in "${into}": ${spell(bytes)} are needed, ${spell(free)} are free`,
    'Free some space, or choose a folder on another disk.',
  );
}

function spell(bytes: number): string {
  return `${bytes.toLocaleString('en-GB')} bytes`;
}
