import type { BigIntStats, Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../protocol/errors.js';

/** One look at the files under the directory. */
export interface KeyFiles {
  /** Path to stamp: another stamp, perhaps other content. */
  stamps: Map<string, FileStamp>;
  /** The same of each folder, from before its names were read: another stamp, perhaps other names. */
  folders: Map<string, FileStamp>;
  /** Paths that cannot be looked at, for good reasons: what lies there is not there. */
  forbidden: string[];
  /** Paths that cannot be looked at just now (no file descriptors left, a disk error): nothing is known of them. */
  unknown: string[];
  rootMissing: boolean;
}

export interface FileStamp {
  text: string;
  size: number;
  /** Of the last change to content or name, ms since 1970 by the file system's clock. */
  changedAt: number;
}

/** What changed this recently may change again without its stamp showing it: clocks of file systems are coarse. */
const STAMP_SURE_AFTER_MS = 1_000;
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);
const FORBIDDEN = new Set(['EACCES', 'EPERM']);

/** Finds every `*.pem` at any depth, through symbolic links too; each folder once, so that links in a circle end. */
export async function findKeyFiles(root: string): Promise<KeyFiles> {
  const found: KeyFiles = { stamps: new Map(), folders: new Map(), forbidden: [], unknown: [], rootMissing: false };
  const seen = new Set<string>();
  found.rootMissing = (await lookInto(root, found, seen)) === 'gone';
  return found;
}

/** Whether a name may have come or gone since they were `found`. What is in the files is not looked at. */
export async function haveNamesChanged({ folders, rootMissing }: KeyFiles): Promise<boolean> {
  if (rootMissing) return true;
  for (const [folder, { text }] of folders) {
    const now = await stat(folder, { bigint: true }).then(stampOf, () => null);
    if (now?.text !== text) return true;
  }
  return false;
}

/** Whether every change from now on will show in another stamp. */
export function isStampSure({ changedAt }: FileStamp): boolean {
  return changedAt < Date.now() - STAMP_SURE_AFTER_MS;
}

type Outcome = 'seen' | 'gone' | 'failed';

async function lookInto(folder: string, found: KeyFiles, seen: Set<string>): Promise<Outcome> {
  let entries: Dirent[];
  try {
    const stats = await stat(folder, { bigint: true });
    const identity = `${stats.dev}:${stats.ino}`;
    if (seen.has(identity)) return 'seen';
    seen.add(identity);
    found.folders.set(folder, stampOf(stats));
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    return note(error, folder, found);
  }
  const folders = entries.filter((entry) => entry.isDirectory());
  const others = entries.filter((entry) => entry.isSymbolicLink() || (entry.isFile() && isKeyFile(entry.name)));
  const linked = await Promise.all(others.map((entry) => lookAt(join(folder, entry.name), entry, found)));
  // Real folders before links to them, and one after the other: which path a folder is known by must not be chance.
  for (const { name } of folders) await lookInto(join(folder, name), found, seen);
  for (const link of linked) if (link) await lookInto(link, found, seen);
  return 'seen';
}

/** Notes a key file; returns the path if it is a link to a folder. */
async function lookAt(path: string, entry: Dirent, found: KeyFiles): Promise<string | null> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) return path;
    if (!stats.isFile() || !isKeyFile(entry.name)) return null;
    found.stamps.set(path, stampOf(stats));
  } catch (error) {
    note(error, path, found);
  }
  return null;
}

function stampOf({ ino, size, mtimeMs, ctimeMs }: Stats | BigIntStats): FileStamp {
  return {
    text: `${ino} ${size} ${mtimeMs} ${ctimeMs}`,
    size: Number(size),
    changedAt: Math.max(Number(mtimeMs), Number(ctimeMs)),
  };
}

function note(error: unknown, path: string, found: KeyFiles): Outcome {
  const code = errorCode(error) ?? '';
  if (GONE.has(code)) return 'gone';
  if (FORBIDDEN.has(code)) found.forbidden.push(path);
  else found.unknown.push(path);
  return 'failed';
}

function isKeyFile(name: string): boolean {
  return name.endsWith('.pem');
}
