import { existsSync } from 'node:fs';
import { chmod, constants, type FileHandle, lstat, open, realpath, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Attributable, setAttributes } from './attributes.js';

/**
 * An open folder out of which nothing done through it can lead, whatever symlinks are planted or folders are swapped
 * below the one that the person chose.
 */
export interface Folder {
  /** The path by which system calls reach `name` in this very folder. Only for final components: O_NOFOLLOW, link, … */
  at(name: string): string;
  /** Throws (ENOTDIR) if the folder is no longer what it was when it was entered. Before and after each use of at(). */
  check(): Promise<void>;
  /** The folder `name` in this one. ENOENT if there is none; ENOTDIR or ELOOP if it is anything else. */
  enter(name: string): Promise<Folder>;
  /** Makes the names in this folder durable. */
  sync(): Promise<void>;
  setAttributes(attributes: { mode: number; mtimeMs: number }): Promise<void>;
  close(): Promise<void>;
}

export type Confinement = 'held' | 'checked';

/** Opens the folder that the person chose: this one alone may be a symlink. */
export async function openFolder(path: string, confinement: Confinement = strongest()): Promise<Folder> {
  if (confinement === 'held') return new HeldFolder(await open(path, constants.O_RDONLY | constants.O_DIRECTORY));
  const real = await realpath(path);
  return new CheckedFolder(real, [{ path: real, identity: await identify(real) }]);
}

function strongest(): Confinement {
  return existsSync('/proc/self/fd') ? 'held' : 'checked';
}

/** Linux: names are looked up in the open directory itself, so that its path no longer matters. */
class HeldFolder implements Folder {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  at(name: string): string {
    return `/proc/self/fd/${this.#handle.fd}/${single(name)}`;
  }

  async check(): Promise<void> {}

  async enter(name: string): Promise<Folder> {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    return new HeldFolder(await open(this.at(name), flags));
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  setAttributes(attributes: { mode: number; mtimeMs: number }): Promise<void> {
    return setAttributes(this.#handle, { ...attributes, directory: true });
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

interface Level {
  path: string;
  identity: string;
}

/** Elsewhere: every level down to this folder is compared with what it was when it was entered. */
class CheckedFolder implements Folder {
  readonly #path: string;
  readonly #levels: readonly Level[];

  constructor(path: string, levels: readonly Level[]) {
    this.#path = path;
    this.#levels = levels;
  }

  at(name: string): string {
    return join(this.#path, single(name));
  }

  async check(): Promise<void> {
    for (const { path, identity } of this.#levels) {
      if ((await identify(path)) !== identity) throw notAFolder(path);
    }
  }

  async enter(name: string): Promise<Folder> {
    const path = this.at(name);
    const entered = new CheckedFolder(path, [...this.#levels, { path, identity: await identify(path) }]);
    await entered.check();
    return entered;
  }

  async sync(): Promise<void> {
    // Windows cannot open a folder, and keeps its names without being asked.
    if (process.platform === 'win32') return;
    const handle = await open(this.#path, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  }

  async setAttributes(attributes: { mode: number; mtimeMs: number }): Promise<void> {
    await this.check();
    const byPath: Attributable = {
      chmod: (mode) => chmod(this.#path, mode),
      utimes: (atime, mtime) => utimes(this.#path, atime, mtime),
    };
    await setAttributes(byPath, { ...attributes, directory: true });
  }

  async close(): Promise<void> {}
}

async function identify(path: string): Promise<string> {
  const found = await lstat(path, { bigint: true });
  if (!found.isDirectory()) throw notAFolder(path);
  return `${found.dev}:${found.ino}`;
}

function notAFolder(path: string): Error {
  return Object.assign(new Error(`not a folder: ${path}`), { code: 'ENOTDIR', syscall: 'lstat', path });
}

/** The last belt: local-name.ts makes nothing else, and nothing else may ever come through here. */
function single(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) throw new Error('not a single name');
  return name;
}
