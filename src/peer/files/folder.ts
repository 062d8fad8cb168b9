import { chmodSync, constants, existsSync, lstatSync, readlinkSync, realpathSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { type Attributable, setAttributes } from './attributes.js';
import { OpenFile } from './open-file.js';

/**
 * An open folder out of which nothing done through it can lead, whatever symlinks are planted or folders are swapped
 * below the one that the person chose.
 */
export interface Folder {
  /** The path by which system calls reach `name` in this very folder. Only for final components: O_NOFOLLOW, link, … */
  at(name: string): string;
  /** Throws (ENOTDIR) if the folder is no longer what it was when it was entered. Before and after each use of at(). */
  check(): void;
  /** The folder `name` in this one. ENOENT if there is none; ENOTDIR or ELOOP if it is anything else. */
  enter(name: string): Folder;
  /** Makes the names in this folder durable. */
  sync(): void;
  setAttributes(attributes: { mode: number; mtimeMs: number }): void;
  close(): void;
}

export type Confinement = 'held' | 'checked';

/** Opens the folder that the person chose: this one alone may be a symlink. */
export function openFolder(path: string, confinement: Confinement = strongest()): Folder {
  if (confinement === 'held') return new HeldFolder(new OpenFile(path, constants.O_RDONLY | constants.O_DIRECTORY));
  const real = realpathSync.native(path);
  return new CheckedFolder(real, [{ path: real, identity: identify(real) }]);
}

function strongest(): Confinement {
  return existsSync('/proc/self/fd') ? 'held' : 'checked';
}

/** Linux: names are looked up in the open directory itself, so that its path no longer matters. */
class HeldFolder implements Folder {
  readonly #open: OpenFile;
  /** Without the link `/proc/self`, which each call would follow anew. */
  readonly #descriptors = `/proc/${readlinkSync('/proc/self')}/fd`;

  constructor(open: OpenFile) {
    this.#open = open;
  }

  at(name: string): string {
    return `${this.#descriptors}/${this.#open.fd}/${single(name)}`;
  }

  check(): void {}

  enter(name: string): Folder {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    return new HeldFolder(new OpenFile(this.at(name), flags));
  }

  sync(): void {
    this.#open.sync();
  }

  setAttributes(attributes: { mode: number; mtimeMs: number }): void {
    setAttributes(this.#open, { ...attributes, directory: true });
  }

  close(): void {
    this.#open.close();
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

  check(): void {
    for (const { path, identity } of this.#levels) {
      if (identify(path) !== identity) throw notAFolder(path);
    }
  }

  enter(name: string): Folder {
    const path = this.at(name);
    const entered = new CheckedFolder(path, [...this.#levels, { path, identity: identify(path) }]);
    entered.check();
    return entered;
  }

  sync(): void {
    // Windows cannot open a folder, and keeps its names without being asked.
    if (process.platform === 'win32') return;
    const open = new OpenFile(this.#path, constants.O_RDONLY);
    try {
      open.sync();
    } finally {
      open.close();
    }
  }

  setAttributes(attributes: { mode: number; mtimeMs: number }): void {
    this.check();
    const byPath: Attributable = {
      chmod: (mode) => chmodSync(this.#path, mode),
      utimes: (atime, mtime) => utimesSync(this.#path, atime, mtime),
    };
    setAttributes(byPath, { ...attributes, directory: true });
  }

  close(): void {}
}

function identify(path: string): string {
  const found = lstatSync(path, { bigint: true });
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
