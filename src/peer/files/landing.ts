import { linkSync, lstatSync, mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import type { Folder } from './folder.js';
import { numberedName } from './local-name.js';
import type { LocalTree } from './local-tree.js';
import { OpenFile } from './open-file.js';
import { CREATE } from './open-flags.js';
import { digestOfFile } from './running-digest.js';

const FOLDER_OWNER_ONLY = 0o700;
const FILE_OWNER_ONLY = 0o600;

/** What gets a name: the complete temporary file of an entry. */
export interface Move {
  entry: number;
  temp: string;
  name: string;
}

/**
 * Gives complete files their names without overwriting anything, numbering those that are taken: `moves` then have what
 * they got. `announce` journals all the names before the first is tried. Durable on return.
 */
export function putInPlace(tree: LocalTree, moves: readonly Move[], announce: () => void): void {
  for (let left = moves; left.length > 0; ) {
    announce();
    const taken: Move[] = [];
    tree.inParents(left, (folder, move) => {
      folder.check();
      if (moveTo(folder, move.temp, move.name)) return;
      move.name = freeName(folder, tree.nameOf(move.entry), false);
      taken.push(move);
    });
    left = taken;
  }
}

/** Makes a folder that was not there before, with the same care. */
export function claimFolder(folder: Folder, wanted: string, announce: (name: string) => void): void {
  let made = false;
  while (!made) {
    const name = freeName(folder, wanted, true);
    announce(name);
    folder.check();
    made = makeFolder(folder, name);
  }
  folder.sync();
}

function freeName(folder: Folder, wanted: string, directory: boolean): string {
  for (let number = 0; ; number++) {
    const name = numberedName(wanted, number, directory);
    if (!lstatSync(folder.at(name), { throwIfNoEntry: false })) return name;
  }
}

/** False if the name is taken. */
function moveTo(folder: Folder, temp: string, name: string): boolean {
  try {
    // A symlink in the place of `temp` would itself get the name: hence the look afterwards.
    linkSync(folder.at(temp), folder.at(name));
    checkLinked(folder, name);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (errorCode(error) === 'ENOENT') checkIsFile(folder, temp);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error) ?? '')) throw error;
    return moveWithoutLinks(folder, temp, name);
  }
  folder.check();
  unlinkSync(folder.at(temp));
  return true;
}

function checkLinked(folder: Folder, name: string): void {
  try {
    checkIsFile(folder, name);
  } catch (error) {
    unlinkSync(folder.at(name));
    throw error;
  }
}

/** Someone else may write to the folder too, and leave there what leads out of it. */
function checkIsFile(folder: Folder, name: string): void {
  if (lstatSync(folder.at(name), { throwIfNoEntry: false })?.isFile()) return;
  throw new UserError(
    ExitCode.transferIncomplete,
    'a file was taken away, or something else put in its place, while it was coming in',
    'See who else writes to the folder; the transfer then goes on where it stopped.',
  );
}

/** FAT and some network shares have no hard links: there an empty file claims the name and is renamed over. */
function moveWithoutLinks(folder: Folder, temp: string, name: string): boolean {
  checkIsFile(folder, temp);
  try {
    new OpenFile(folder.at(name), CREATE, FILE_OWNER_ONLY).close();
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
  folder.check();
  renameSync(folder.at(temp), folder.at(name));
  return true;
}

/** False if the name is taken. */
function makeFolder(folder: Folder, name: string): boolean {
  try {
    mkdirSync(folder.at(name), FOLDER_OWNER_ONLY);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The folder `name` in `folder`; whoever made it, nothing in it will be overwritten. */
export function enterOrMake(folder: Folder, name: string): Folder {
  try {
    return folder.enter(name);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  folder.check();
  makeFolder(folder, name);
  folder.sync();
  return folder.enter(name);
}

/**
 * Finds out after a crash whether the file whose name was announced got it, and finishes what was left to do. A target
 * without a temporary file is believed by its content alone.
 */
export async function finishLanding(
  folder: Folder,
  temp: string,
  announced: { name: string; size: number; sha256: string },
  signal: AbortSignal,
): Promise<boolean> {
  const target = find(folder, announced.name);
  if (!target?.isFile()) return false;
  const left = find(folder, temp);
  if (left) {
    if (left.dev !== target.dev || left.ino !== target.ino) return false;
    unlinkSync(folder.at(temp));
  } else {
    if (Number(target.size) !== announced.size) return false;
    const sha256 = await digestOfFile(folder.at(announced.name), announced.size, signal);
    if (sha256 !== announced.sha256) return false;
  }
  folder.sync();
  return true;
}

/** After a crash: whether the temporary file of what was announced is all there, and only has to get its name. */
export async function isComplete(
  folder: Folder,
  temp: string,
  announced: { size: number; sha256: string },
  signal: AbortSignal,
): Promise<boolean> {
  const left = find(folder, temp);
  if (!left?.isFile() || Number(left.size) !== announced.size) return false;
  return (await digestOfFile(folder.at(temp), announced.size, signal)) === announced.sha256;
}

/** After a crash: whether the folder whose name was announced was made. Nothing is put into it before that is known. */
export function finishClaim(folder: Folder, name: string): boolean {
  const found = find(folder, name);
  if (!found?.isDirectory()) return false;
  if (readdirSync(folder.at(name)).length > 0) return false;
  folder.sync();
  return true;
}

function find(folder: Folder, name: string) {
  return lstatSync(folder.at(name), { bigint: true, throwIfNoEntry: false }) ?? null;
}
