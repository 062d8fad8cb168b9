import { isUtf8 } from 'node:buffer';
import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync } from 'node:fs';
import { sep } from 'node:path';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { describeSystemError } from '../../shared/system-error.js';
import { READ_ONLY } from './open-flags.js';
import type { Step } from './turns.js';
import { wholeMs } from './whole-ms.js';

const OWNER_READS = 0o400;

/** An entry of the manifest, or the manifest path of what cannot be sent. */
export type Walked = ManifestEntry | { skipped: string };

/**
 * Finds `source` (absolute, a file or folder) and what it holds, under the manifest path `path`: parents before children,
 * depth first, sorted. Waits for the disk: not for the main thread. Throws a UserError (usage) that names the first
 * unreadable path.
 */
export function* walk(source: string, path: string): Generator<Step<Walked>, void> {
  const entry = inspect(source, path);
  if (typeof entry === 'string') throw unreadable(source, new Error('it was taken away'));
  yield* contents(source, entry);
}

function* contents(source: string, entry: ManifestEntry): Generator<Step<Walked>, void> {
  yield entry;
  if (!entry.directory) return;
  const names = namesIn(source);
  // Names that are not UTF-8 have no place in a manifest.
  for (const name of names) if (!isUtf8(name)) yield { skipped: `${entry.path}/${name}` };
  const sorted = names.filter((name) => isUtf8(name)).map((name) => name.toString());
  for (const name of sorted.sort()) {
    const path = `${entry.path}/${name}`;
    const local = source + (source.endsWith(sep) ? '' : sep) + name;
    const inside = inspect(local, path);
    if (inside === 'unsendable') yield { skipped: path };
    else if (inside === 'vanished') yield null;
    else yield* contents(local, inside);
  }
}

function namesIn(folder: string): Buffer[] {
  try {
    return readdirSync(folder, { encoding: 'buffer' });
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/** 'unsendable' is what is neither a file nor a folder; 'vanished' went away since its folder was read. */
function inspect(source: string, path: string): ManifestEntry | 'unsendable' | 'vanished' {
  try {
    const found = lstatSync(source, { bigint: true });
    const directory = found.isDirectory();
    if (!directory && !found.isFile()) return 'unsendable';
    if (!directory && !ownerMayRead(found)) closeSync(openSync(source, READ_ONLY));
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

/**
 * That we may, being the owner. Whatever else it may hang on is found out by opening the file, which takes as long as all
 * other looks at it; what is refused in spite of this is left out when its turn comes.
 */
function ownerMayRead({ uid, mode }: BigIntStats): boolean {
  return Number(uid) === process.geteuid?.() && (Number(mode) & OWNER_READS) !== 0;
}

export function unreadable(path: string, cause: unknown): UserError {
  const missing = path === '' || errorCode(cause) === 'ENOENT';
  const wrong = missing ? `"${path}" does not exist` : `"${path}" cannot be read: ${describeSystemError(cause)}`;
  const hint = missing ? 'Check the path.' : 'Make it readable, or leave it out.';
  return new UserError(ExitCode.usage, wrong, hint, { cause });
}
