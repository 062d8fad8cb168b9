import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { isDemoKey } from '../protocol/demo-keys.js';
import { ExitCode, errorCode, errorMessage, UserError } from '../protocol/errors.js';
import { type KeyFile, lookAtKeyFile } from './key-file.js';
import { type FileStamp, findKeyFiles, type KeyFiles } from './key-files.js';

export interface DirectoryOptions {
  root: string;
  /** The demo runs, which may use the example keys. */
  demo: boolean;
  /** For the operator, about files of their own. */
  warn: (text: string) => void;
  /** Keys came or went while watching. */
  onChange: (change: DirectoryChange) => void;
}

/** Peer ids. */
export interface DirectoryChange {
  added: string[];
  removed: string[];
}

/** Two looks and the reading in between fit into the second within which a change must count. */
const LOOK_EVERY_MS = 250;

const NO_CHANGE: DirectoryChange = { added: [], removed: [] };

/**
 * The public keys that the mediator admits: every `*.pem` under a folder, looked at again and again, since no
 * notification of changes is reliable everywhere. What is unusable or missing at one look, as it may be while someone
 * writes it, is believed at the second.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  #files = new Map<string, KeyFile>();
  #keys = new Map<string, KeyObject>();
  readonly #forbidden = new Set<string>();
  #rootMissing = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** Reads everything once. Throws UserError if the folder is not there. */
  async read(): Promise<void> {
    await checkFolder(this.#options.root);
    await this.#look();
  }

  /** Looks again and again from now on. */
  watch(): void {
    this.#lookAgainLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  get size(): number {
    return this.#keys.size;
  }

  ids(): string[] {
    return [...this.#keys.keys()];
  }

  keyOf(id: string): KeyObject | undefined {
    return this.#keys.get(id);
  }

  #lookAgainLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().then(({ added, removed }) => {
        if (!this.#stopped && added.length + removed.length > 0) this.#options.onChange({ added, removed });
        this.#lookAgainLater();
      });
    }, LOOK_EVERY_MS);
  }

  async #look(): Promise<DirectoryChange> {
    const found = await findKeyFiles(this.#options.root);
    if (this.#isMissingForTheFirstTime(found)) return NO_CHANGE;
    this.#warnOfForbidden(found);
    const looked = await Promise.all(
      Array.from(found.stamps, async ([path, stamp]) => [path, await this.#lookAt(path, stamp)] as const),
    );
    const files = new Map(looked);
    for (const [path, file] of this.#files) {
      if (found.unknown.some((unknown) => path === unknown || path.startsWith(unknown + sep))) files.set(path, file);
    }
    const changed = files.size !== this.#files.size || looked.some(([path, file]) => this.#files.get(path) !== file);
    this.#files = files;
    return changed ? this.#adoptKeys() : NO_CHANGE;
  }

  #isMissingForTheFirstTime({ rootMissing }: KeyFiles): boolean {
    const before = this.#rootMissing;
    this.#rootMissing = rootMissing;
    if (!rootMissing || before) return false;
    this.#options.warn(`the directory of keys ${this.#options.root} is gone; until it is back nobody is admitted`);
    return true;
  }

  #warnOfForbidden({ forbidden }: KeyFiles): void {
    for (const path of forbidden) {
      if (!this.#forbidden.has(path)) this.#options.warn(`${path} cannot be read: permission denied`);
    }
    this.#forbidden.clear();
    for (const path of forbidden) this.#forbidden.add(path);
  }

  async #lookAt(path: string, stamp: FileStamp): Promise<KeyFile> {
    const before = this.#files.get(path);
    const file = await lookAtKeyFile(path, stamp, before);
    if (file === before) return file;
    if (file.problem !== null && file.state === 'settled') {
      this.#options.warn(`${path} admits nobody: ${file.problem}`);
    }
    if (file.identity && file.identity.id !== before?.identity?.id) this.#warnIfDemoKey(path, file.identity.id);
    return file;
  }

  #warnIfDemoKey(path: string, id: string): void {
    if (this.#options.demo || !isDemoKey(id)) return;
    this.#options.warn(`${path} is an example key, whose private half everybody has: anyone may come in by it`);
  }

  #adoptKeys(): DirectoryChange {
    const keys = new Map<string, KeyObject>();
    for (const { identity } of this.#files.values()) if (identity) keys.set(identity.id, identity.key);
    const before = this.#keys;
    this.#keys = keys;
    return {
      added: [...keys.keys()].filter((id) => !before.has(id)),
      removed: [...before.keys()].filter((id) => !keys.has(id)),
    };
  }
}

async function checkFolder(root: string): Promise<void> {
  try {
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    const missing = errorCode(error) === 'ENOENT';
    const what = missing ? 'does not exist' : `cannot be read: ${errorMessage(error)}`;
    const hint = missing ? `Create it (mkdir -p ${root}), or name another with --certs DIR.` : 'Check its permissions.';
    throw new UserError(ExitCode.usage, `the directory of keys ${root} ${what}`, hint, { cause: error });
  }
  throw new UserError(
    ExitCode.usage,
    `the directory of keys ${root} is not a directory`,
    'Name the folder that holds the public keys, not a key: --certs DIR',
  );
}
