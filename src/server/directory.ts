import type { KeyObject } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { isDemoKey } from '../protocol/demo-keys.js';
import { ExitCode, errorCode, UserError } from '../protocol/errors.js';
import type { Succession } from '../protocol/succession.js';
import { describeSystemError } from '../shared/system-error.js';
import { decideAdmissions } from './admissions.js';
import type { Bars } from './bars.js';
import { isWorthKeeping, writeFollowed } from './followed.js';
import { type KeyFile, lookAtKeyFile } from './key-file.js';
import { type FileStamp, findKeyFiles, haveNamesChanged, isStampSure, type KeyFiles } from './key-files.js';

export interface DirectoryOptions {
  root: string;
  /** Who is not admitted, whatever the folder holds. */
  bars: Bars;
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
/** Between two looks at one and the same path, for each that there is: some 3% of the processor, however many there are. */
const REST_MS_PER_PATH = 1;

const NO_CHANGE: DirectoryChange = { added: [], removed: [] };

/**
 * The public keys that the mediator admits: every `*.pem` under a folder, looked at again and again, since no
 * notification of changes is reliable everywhere. Where there are many, the folders tell most times whether anything came
 * or went, and each file is looked at again less often. What is unusable or missing at one look, as it may be while
 * someone writes it, is believed at the second.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  #found: KeyFiles | null = null;
  #files = new Map<string, KeyFile>();
  /** By the clock of `performance`: when each file is to be looked at, whatever the folders tell. */
  #allDueAt = 0;
  #keys = new Map<string, KeyObject>();
  readonly #forbidden = new Set<string>();
  readonly #disputed = new Set<string>();
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

  /** Whether nothing in the folder was being written when all of it was last looked at. */
  get isSettled(): boolean {
    return this.#allDueAt > 0;
  }

  ids(): string[] {
    return [...this.#keys.keys()];
  }

  keyOf(id: string): KeyObject | undefined {
    return this.#keys.get(id);
  }

  /**
   * Takes the word of a key for its successor, which is admitted from now on; or, if that key has named another before,
   * neither of the two. Resolves with whether the successor is admitted. Rejects if nothing can be written.
   */
  async follow(succession: Succession): Promise<boolean> {
    const known = [...this.#files.values()].flatMap((file) => file.successions);
    if (isWorthKeeping(succession, known)) {
      await writeFollowed(this.#options.root, succession);
      await this.#lookNow();
    }
    return this.#keys.has(succession.successor.id);
  }

  #lookAgainLater(): void {
    if (this.#stopped) return;
    const rest = Math.max(LOOK_EVERY_MS, (this.#found?.folders.size ?? 0) * REST_MS_PER_PATH);
    this.#timer = setTimeout(() => this.#lookNow().then(() => this.#lookAgainLater()), rest);
  }

  /** One look after the other. */
  #lookNow(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#look())
      .then(({ added, removed }) => {
        if (!this.#stopped && added.length + removed.length > 0) this.#options.onChange({ added, removed });
      });
    return this.#looking;
  }

  async #look(): Promise<DirectoryChange> {
    const barsChanged = await this.#options.bars.look();
    if (await this.#isAsBefore()) return barsChanged ? this.#adoptKeys() : NO_CHANGE;
    const found = await findKeyFiles(this.#options.root);
    this.#found = found;
    this.#allDueAt = 0;
    if (this.#isMissingForTheFirstTime(found)) return barsChanged ? this.#adoptKeys() : NO_CHANGE;
    this.#warnOfForbidden(found);
    const files = new Map<string, KeyFile>();
    let changed = false;
    for (const [path, stamp] of found.stamps) {
      const file = await this.#lookAt(path, stamp);
      files.set(path, file);
      changed ||= this.#files.get(path) !== file;
    }
    for (const [path, file] of this.#files) {
      if (found.unknown.some((unknown) => path === unknown || path.startsWith(unknown + sep))) files.set(path, file);
    }
    changed ||= files.size !== this.#files.size;
    this.#files = files;
    if (areSettled(found, files)) this.#allDueAt = performance.now() + files.size * REST_MS_PER_PATH;
    return changed || barsChanged ? this.#adoptKeys() : NO_CHANGE;
  }

  /** As far as folders tell, and for as long as they are enough. */
  async #isAsBefore(): Promise<boolean> {
    return this.#found !== null && performance.now() < this.#allDueAt && !(await haveNamesChanged(this.#found));
  }

  /** Without saying whose: ids do not belong into a log. */
  #warnOfDispute(disputed: Set<string>): void {
    if ([...disputed].some((id) => !this.#disputed.has(id))) {
      this.#options.warn(
        `two files in ${this.#options.root} each hold another successor of one and the same key, so one of them is a thief's: neither is admitted; ask the key's owner, and take out the false one`,
      );
    }
    this.#disputed.clear();
    for (const id of disputed) this.#disputed.add(id);
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

  async #adoptKeys(): Promise<DirectoryChange> {
    const { bars } = this.#options;
    const { keys, disputed, newBars } = decideAdmissions([...this.#files.values()], bars.all());
    for (const bar of newBars) await bars.add(bar);
    this.#warnOfDispute(disputed);
    const before = this.#keys;
    this.#keys = keys;
    return {
      added: [...keys.keys()].filter((id) => !before.has(id)),
      removed: [...before.keys()].filter((id) => !keys.has(id)),
    };
  }
}

/** Whether nothing is being written, and whatever comes or goes from now on will show. */
function areSettled({ folders, unknown }: KeyFiles, files: ReadonlyMap<string, KeyFile>): boolean {
  const filesSettled = [...files.values()].every(({ state }) => state === 'settled');
  return filesSettled && unknown.length === 0 && [...folders.values()].every(isStampSure);
}

async function checkFolder(root: string): Promise<void> {
  try {
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    const missing = errorCode(error) === 'ENOENT';
    const what = missing ? 'does not exist' : `cannot be read: ${describeSystemError(error)}`;
    const hint = missing ? `Create it (mkdir -p ${root}), or name another with --certs DIR.` : 'Check its permissions.';
    throw new UserError(ExitCode.usage, `the directory of keys ${root} ${what}`, hint, { cause: error });
  }
  throw new UserError(
    ExitCode.usage,
    `the directory of keys ${root} is not a directory`,
    'Name the folder that holds the public keys, not a key: --certs DIR',
  );
}
