import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { link, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ExitCode, errorCode, UserError } from '../protocol/errors.js';
import { makeFolders } from '../shared/make-folders.js';
import { describeSystemError } from '../shared/system-error.js';

/** A bar set for being the successor of a barred key, which is lifted with that one's. */
export interface Bar {
  id: string;
  /** The barred key that this one descends from; null: it was named itself. */
  because: string | null;
}

const FOLDER = 'revoked';
const ID = /^[0-9a-f]{64}$/;
const SUCCESSOR_OF = /^successor of ([0-9a-f]{64})$/m;

/**
 * The keys that are never admitted, whatever the directory holds: one small file each in the mediator's home, named by
 * the whole id, so that setting and lifting a bar needs no lock and survives being killed at any moment.
 */
export class Bars {
  readonly #folder: string;
  readonly #warn: (text: string) => void;
  #bars = new Map<string, Bar>();
  #unreadable = false;

  /** @param home the mediator's */
  constructor(home: string, warn: (text: string) => void) {
    this.#folder = barsFolder(home);
    this.#warn = warn;
  }

  /**
   * Makes the folder, by which `revoke` knows a mediator's home.
   * @throws UserError if it is there and cannot be read: whoever was barred would be let in
   */
  prepare(): void {
    try {
      makeFolders(this.#folder, 0o700);
    } catch (error) {
      this.#warn(`no key can be revoked here: ${this.#folder} cannot be made: ${describeSystemError(error)}`);
    }
    try {
      readdirSync(this.#folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw new UserError(
        ExitCode.usage,
        `the revoked keys in ${this.#folder} cannot be read: ${describeSystemError(error)}`,
        'Make the folder readable for the user who runs p2p-server, or keys that were revoked would be admitted.',
        { cause: error },
      );
    }
  }

  /** Reads them anew; whether they changed. What cannot be read just now stays barred. */
  async look(): Promise<boolean> {
    let bars: Map<string, Bar>;
    try {
      bars = await readBars(this.#folder, this.#bars);
      this.#unreadable = false;
    } catch (error) {
      if (!this.#unreadable)
        this.#warn(`the revoked keys in ${this.#folder} cannot be read: ${describeSystemError(error)}`);
      this.#unreadable = true;
      return false;
    }
    const changed = bars.size !== this.#bars.size || [...bars.keys()].some((id) => !this.#bars.has(id));
    this.#bars = bars;
    return changed;
  }

  has(id: string): boolean {
    return this.#bars.has(id);
  }

  all(): Bar[] {
    return [...this.#bars.values()];
  }

  /** Bars a successor too. It holds at once, and if it can be written also after the next start. */
  async add(bar: Bar): Promise<void> {
    this.#bars.set(bar.id, bar);
    try {
      await writeBar(this.#folder, bar);
    } catch (error) {
      this.#warn(`the bar of a successor cannot be written to ${this.#folder}: ${describeSystemError(error)}`);
    }
  }
}

export function barsFolder(home: string): string {
  return join(home, FOLDER);
}

/** On the disk when this resolves. One that is there already stays. */
export async function writeBar(folder: string, { id, because }: Bar): Promise<void> {
  const temporary = join(folder, `.new-${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(
        `revoked ${new Date().toISOString()}\n${because === null ? '' : `successor of ${because}\n`}`,
      );
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, join(folder, id));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(folder);
}

/** Lifts the bar of this key, and those of the keys that were barred as its successors. Returns the ids. */
export async function liftBar(folder: string, id: string): Promise<string[]> {
  const bars = await readBars(folder, new Map());
  const lifted = [...bars.values()].filter((bar) => bar.id === id || bar.because === id).map((bar) => bar.id);
  for (const each of lifted) await rm(join(folder, each), { force: true });
  await syncFolder(folder);
  return lifted;
}

async function readBars(folder: string, known: ReadonlyMap<string, Bar>): Promise<Map<string, Bar>> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return new Map();
    throw error;
  }
  const bars = new Map<string, Bar>();
  for (const id of names.filter((name) => ID.test(name))) {
    bars.set(id, known.get(id) ?? { id, because: await readReason(join(folder, id)) });
  }
  return bars;
}

/** The name of the file is the bar; what it says counts only when it is lifted. */
async function readReason(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return SUCCESSOR_OF.exec(text)?.[1] ?? null;
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const file = await open(folder, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
