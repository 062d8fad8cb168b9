import { realpath, stat } from 'node:fs/promises';
import { basename, sep } from 'node:path';
import { MAX_MANIFEST_BYTES, MAX_MANIFEST_ENTRIES, MAX_PATH_BYTES } from '../../protocol/constants.js';
import { ExitCode, ProtocolError, UserError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import type { OfferedFile } from '../session/events.js';
import { DistinctNames } from './local-name.js';
import type { ReaderThread } from './reader-thread.js';
import { unreadable, type Walked } from './walk.js';

export interface LocalManifest {
  entries: ManifestEntry[];
  /** Absolute local paths, one for each top-level name, in the manifest's order. */
  sources: string[];
  /** Manifest paths of what lies in the folders and is neither a file nor a folder: symlinks, sockets, devices. */
  skipped: string[];
}

/** An entry's size on the wire, apart from its path, is at most this. */
const ENTRY_OVERHEAD_BYTES = 40;

/**
 * Reads names, sizes, modes and times (not contents) of what a person wants to send. A symlink named here is followed,
 * one inside a folder is not. Throws a UserError (usage) that names the first path which is missing or unreadable.
 */
export async function readManifest(
  paths: readonly string[],
  reader: ReaderThread,
  signal: AbortSignal,
): Promise<LocalManifest> {
  if (paths.length === 0) throw new UserError(ExitCode.usage, 'there is nothing to send', 'Name files or folders.');
  const manifest: LocalManifest = { entries: [], sources: [], skipped: [] };
  const names = new DistinctNames();
  for (const path of paths) {
    const { source, name, directory } = await findSource(path);
    manifest.sources.push(source);
    for await (const found of reader.walk(source, names.take(name, directory), signal)) {
      for (const walked of found) add(walked, manifest);
    }
  }
  checkOwnManifest(manifest.entries);
  return manifest;
}

function add(walked: Walked, { entries, skipped }: LocalManifest): void {
  if ('skipped' in walked) skipped.push(walked.skipped);
  else entries.push(walked);
  if (entries.length <= MAX_MANIFEST_ENTRIES) return;
  const limit = MAX_MANIFEST_ENTRIES.toLocaleString('en-GB');
  throw new UserError(ExitCode.usage, `more than ${limit} files in one offer`, 'Put them into one archive.');
}

async function findSource(path: string): Promise<{ source: string; name: string; directory: boolean }> {
  try {
    const found = await stat(path);
    if (!found.isFile() && !found.isDirectory()) throw notSendable(path);
    const source = await realpath(path);
    const name = namesItsFolder(path) ? basename(source) : basename(path);
    if (name === '') throw notSendable(path);
    return { source, name, directory: found.isDirectory() };
  } catch (error) {
    throw error instanceof UserError ? error : unreadable(path, error);
  }
}

/** '.', 'a/..' and 'a/' say which folder is meant, but not its name. */
function namesItsFolder(path: string): boolean {
  return path.endsWith('/') || path.endsWith(sep) || ['.', '..'].includes(basename(path));
}

function notSendable(path: string): UserError {
  return new UserError(
    ExitCode.usage,
    `"${path}" is neither a file nor a folder that can be sent`,
    'Name files or folders.',
  );
}

function checkOwnManifest(entries: readonly ManifestEntry[]): void {
  try {
    checkManifest(entries);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const hint = 'Send fewer files at once, or put them into one archive.';
    throw new UserError(ExitCode.usage, `this cannot be offered: ${error.message}`, hint);
  }
}

/**
 * Refuses, with a ProtocolError, every manifest that no honest sender makes. Odd names (controls, backslashes, names
 * that mean something on Windows) are allowed: they exist, and local-name.ts makes them harmless.
 */
export function checkManifest(entries: readonly ManifestEntry[]): void {
  if (entries.length === 0) throw new ProtocolError('the manifest is empty');
  if (entries.length > MAX_MANIFEST_ENTRIES) throw new ProtocolError('the manifest has too many entries');
  const seen = new Map<string, ManifestEntry>();
  let manifestBytes = 0;
  let contentBytes = 0;
  for (const [index, entry] of entries.entries()) {
    const fault = faultOf(entry, seen);
    if (fault) throw new ProtocolError(`manifest entry ${index}: ${fault}`);
    seen.set(entry.path, entry);
    manifestBytes += Buffer.byteLength(entry.path) + ENTRY_OVERHEAD_BYTES;
    if (manifestBytes > MAX_MANIFEST_BYTES) throw new ProtocolError('the manifest is too long');
    contentBytes += entry.size;
    if (!Number.isSafeInteger(contentBytes)) throw new ProtocolError('the manifest adds up to too many bytes');
  }
}

function faultOf(entry: ManifestEntry, seen: ReadonlyMap<string, ManifestEntry>): string | null {
  const { path, directory, size, mode, mtimeMs } = entry;
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return 'its path is too long';
  if (path.includes('\0')) return 'its path holds a NUL';
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'its path is not relative';
  if (seen.has(path)) return 'its path is there twice';
  const slash = path.lastIndexOf('/');
  if (slash >= 0 && !seen.get(path.slice(0, slash))?.directory) return 'its folder does not come before it';
  if (!Number.isSafeInteger(size) || size < 0 || (directory && size !== 0)) return 'its size is impossible';
  if (!Number.isSafeInteger(mode) || mode < 0) return 'its mode is impossible';
  if (!Number.isSafeInteger(mtimeMs)) return 'its time is impossible';
  return null;
}

/** What the person is shown of an offer: the files, and the folders that hold nothing as 'name/'. */
export function offeredFiles(entries: readonly ManifestEntry[]): OfferedFile[] {
  const filled = new Set(entries.map(({ path }) => path.slice(0, Math.max(path.lastIndexOf('/'), 0))));
  return entries
    .filter(({ path, directory }) => !directory || !filled.has(path))
    .map(({ path, directory, size }) => ({ name: directory ? `${path}/` : path, size }));
}
