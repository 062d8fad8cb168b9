import { unwatchFile, watchFile } from 'node:fs';
import { dirname, join } from 'node:path';
import type Conf from 'conf';
import { ExitCode, errorCode, errorMessage, UserError } from '../../protocol/errors.js';
import { syncDirectory } from '../session/journal/private-files.js';
import type { Contact } from './contact.js';
import { withLock } from './settings-lock.js';

/** The one file that knows conf. */

export interface Settings {
  contacts: Contact[];
  /** "host:port" to the SHA-256 of the mediator's SPKI, hex. */
  mediators: Record<string, string>;
}

const NAME = 'settings';
const OWNER_ONLY = 0o600;
const WATCH_MS = 250;

const text = { type: 'string', minLength: 1 };
const id = { type: 'string', pattern: '^[0-9a-f]{64}$' };
/** What is on the disk is looked at before it is believed: contactId becomes a path, a wrong id a wrong peer. */
const SCHEMA = {
  contacts: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        contactId: { type: 'string', pattern: '^[0-9a-f]{16}$' },
        name: { type: ['string', 'null'], minLength: 1 },
        host: text,
        port: { type: 'integer', minimum: 1, maximum: 65535 },
        keys: text,
        peerPem: text,
        peerFile: text,
        peerId: id,
        formerPeerIds: { type: 'array', items: id },
        ownId: id,
        verified: { type: 'boolean' },
        blocked: { type: 'boolean' },
      },
      required: ['contactId', 'name', 'host', 'port', 'keys', 'peerPem', 'peerId', 'ownId', 'verified', 'blocked'],
    },
  },
  mediators: { type: 'object', additionalProperties: id },
} as const;

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
        schema: SCHEMA as never,
        // The schema is our own: to prove it well-formed at each start takes longer than all that is done with it.
        ajvOptions: { validateSchema: false },
      });
    return new SettingsFile(explain(path, open));
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

  /** `change` alters the settings it is given, which are those of this moment; throwing leaves the file as it was. */
  change<T>(change: (settings: Settings) => T): T {
    const { path } = this.#conf;
    return explain(path, () =>
      withLock(`${path}.lock`, () => {
        const settings = this.read();
        const result = change(settings);
        this.#conf.store = settings;
        // The file itself is synced by then; without its name, a power cut would take the contacts' journals with it.
        syncDirectory(dirname(path));
        return result;
      }),
    );
  }
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
    if (error instanceof SyntaxError || errorMessage(error).startsWith('Config schema violation')) {
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
      `the settings file ${path} cannot be used: ${errorMessage(error)}`,
      'Check the permissions and the free space, or name another place with --home DIR.',
      { cause: error },
    );
  }
}
