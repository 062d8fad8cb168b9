import { isUtf8 } from 'node:buffer';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_MANIFEST_ENTRIES } from '../../protocol/constants.js';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { describeSystemError } from './disk-errors.js';
import { READ_ONLY } from './open-flags.js';
import { wholeMs } from './whole-ms.js';

/** How many of a folder's entries are looked at together. */
const BATCH = 32;

export interface Walk {
  entries: ManifestEntry[];
  skipped: string[];
}

/**
 * Adds `source` (absolute, a file or folder) and what it holds to `walk` under the manifest path `path`: parents before
 * children, depth first, sorted. Throws a UserError (usage) that names the first unreadable path.
 */
export async function walk(source: string, path: string, into: Walk, signal: AbortSignal): Promise<void> {
  const entry = await inspect(source, path);
  if (typeof entry === 'string') throw unreadable(source, new Error('it was taken away'));
  await add(source, entry, into, signal);
}

async function add(source: string, entry: ManifestEntry, into: Walk, signal: AbortSignal): Promise<void> {
  into.entries.push(entry);
  if (into.entries.length > MAX_MANIFEST_ENTRIES) {
    const limit = MAX_MANIFEST_ENTRIES.toLocaleString('en-GB');
    throw new UserError(ExitCode.usage, `more than ${limit} files in one offer`, 'Put them into one archive.');
  }
  if (entry.directory) await addContents(source, entry.path, into, signal);
}

async function addContents(folder: string, path: string, into: Walk, signal: AbortSignal): Promise<void> {
  const names = await sortedNames(folder, path, into);
  for (let at = 0; at < names.length; at += BATCH) {
    signal.throwIfAborted();
    const batch = names.slice(at, at + BATCH);
    const entries = await Promise.all(batch.map((name) => inspect(join(folder, name), `${path}/${name}`)));
    for (const [index, name] of batch.entries()) {
      const entry = entries[index];
      if (entry === 'unsendable') into.skipped.push(`${path}/${name}`);
      else if (entry && entry !== 'vanished') await add(join(folder, name), entry, into, signal);
    }
  }
}

/** Names that are not UTF-8 have no place in a manifest: they are skipped. */
async function sortedNames(folder: string, path: string, into: Walk): Promise<string[]> {
  try {
    const names: string[] = [];
    for (const name of await readdir(folder, { encoding: 'buffer' })) {
      if (isUtf8(name)) names.push(name.toString());
      else into.skipped.push(`${path}/${name}`);
    }
    return names.sort();
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/** 'unsendable' is what is neither a file nor a folder; 'vanished' went away since its folder was read. */
async function inspect(source: string, path: string): Promise<ManifestEntry | 'unsendable' | 'vanished'> {
  try {
    const found = await lstat(source, { bigint: true });
    const directory = found.isDirectory();
    if (!directory && !found.isFile()) return 'unsendable';
    if (!directory) await (await open(source, READ_ONLY)).close();
    const { size, mode, mtimeNs } = found;
    return {
      path,
      directory,
      size: directory ? 0 : Number(size),
      mode: Number(mode) & 0o777,
      mtimeMs: wholeMs(mtimeNs),
    };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'vanished';
    throw unreadable(source, error);
  }
}

export function unreadable(path: string, cause: unknown): UserError {
  const missing = path === '' || errorCode(cause) === 'ENOENT';
  const wrong = missing ? `"${path}" does not exist` : `"${path}" cannot be read: ${describeSystemError(cause)}`;
  const hint = missing ? 'Check the path.' : 'Make it readable, or leave it out.';
  return new UserError(ExitCode.usage, wrong, hint, { cause });
}
