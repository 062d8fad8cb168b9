import { readdirSync, rmSync, unwatchFile, watchFile } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type Conf from 'conf';
import { ExitCode, errorCode, errorMessage, UserError } from '../../protocol/errors.js';
import { describeSystemError } from '../../shared/system-error.js';
import { syncDirectory } from '../session/journal/private-files.js';
import { withLock } from './settings-lock.js';
import { checkSettings, DamagedSettingsError, type Settings } from './stored-settings.js';

/** The one file that knows conf. */

const NAME = 'settings';
const OWNER_ONLY = 0o600;
const WATCH_MS = 250;

/** settings.json in a home: read afresh each time, changed under a lock, replaced whole or not at all. */
export class SettingsFile {
  readonly #conf: Conf<Partial<Settings>>;

  private constructor(conf: Conf<Partial<Settings>>) {
    this.#conf = conf;
  }

  /** `directory` exists. @throws UserError if the file is there and unusable; it is left as it is */
  static async open(directory: string): Promise<SettingsFile> {
    const ConfClass = await importConf();
    const path = join(directory, `${NAME}.json`);
    const open = () =>
      new ConfClass<Partial<Settings>>({
        cwd: directory,
        configName: NAME,
        configFileMode: OWNER_ONLY,
        accessPropertiesByDotNotation: false,
        clearInvalidConfig: false,
        // Not by a schema of conf's: to make a validator of one at each start takes longer than all that conf does.
        deserialize: (text) => checkSettings(JSON.parse(text)),
        serialize: (settings) => JSON.stringify(checkSettings(settings), undefined, '\t'),
      });
    const file = new SettingsFile(explain(path, open));
    removeUnfinished(path);
    return file;
  }

  /** @throws UserError */
  read(): Settings {
    const stored = explain(this.#conf.path, () => this.#conf.store);
    // What a later version keeps there besides stays.
    return { ...stored, contacts: stored.contacts ?? [], mediators: stored.mediators ?? {} };
  }

  /** Calls back when another process, or this one, has changed the file. Keeps no process alive. */
  watch(onChange: () => void): () => void {
    const { path } = this.#conf;
    watchFile(path, { interval: WATCH_MS, persistent: false }, onChange);
    return () => unwatchFile(path, onChange);
  }

  /**
   * `change` alters the settings it is given, which are those of this moment; throwing leaves the file as it was, and so
   * does altering nothing: most starts do, and would wait for the disk.
   */
  change<T>(change: (settings: Settings) => T): T {
    const { path } = this.#conf;
    return explain(path, () =>
      withLock(`${path}.lock`, () => {
        const settings = this.read();
        const before = JSON.stringify(settings);
        const result = change(settings);
        if (JSON.stringify(settings) === before) return result;
        this.#conf.store = settings;
        // The file itself is synced by then; without its name, a power cut would take the contacts' journals with it.
        syncDirectory(dirname(path));
        return result;
      }),
    );
  }
}

/** What killed processes have left of texts that were to replace the file's. A disk that refuses keeps them. */
function removeUnfinished(path: string): void {
  const directory = dirname(path);
  try {
    const unfinished = readdirSync(directory).filter((name) => name.startsWith(`${basename(path)}.tmp-`));
    if (unfinished.length === 0) return;
    // Under the lock, so that none of them is one that somebody is just writing.
    withLock(`${path}.lock`, () => {
      for (const name of unfinished) rmSync(join(directory, name), { force: true });
    });
  } catch {}
}

/**
 * conf brings in when-exit, which answers every signal by raising it a second time: one Ctrl-C would count as two. It
 * is there to remove temporary files of unfinished asynchronous writes, of which we have none.
 */
async function importConf(): Promise<typeof Conf> {
  const before = new Map(process.eventNames().map((name) => [name, new Set(process.rawListeners(name))]));
  const { default: ConfClass } = await import('conf');
  for (const name of process.eventNames()) {
    if (!String(name).startsWith('SIG')) continue;
    for (const listener of process.rawListeners(name)) {
      if (!before.get(name)?.has(listener)) process.removeListener(name, listener as () => void);
    }
  }
  return ConfClass;
}

function explain<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof SyntaxError || error instanceof DamagedSettingsError) {
      throw new UserError(
        ExitCode.usage,
        `the settings file ${path} is damaged: ${errorMessage(error)}`,
        'Mend it with an editor, or move it away to begin afresh; nothing was changed.',
        { cause: error },
      );
    }
    if (errorCode(error) === undefined) throw error;
    throw new UserError(
      ExitCode.usage,
      `the settings file ${path} cannot be used: ${describeSystemError(error)}`,
      'Check the permissions and the free space, or name another place with --home DIR.',
      { cause: error },
    );
  }
}
