import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import os from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { ExitCode, UserError } from '../protocol/errors.js';
import { p2pCommand } from '../protocol/shell-command.js';
import { makeFolders } from '../shared/make-folders.js';
import { describeSystemError } from '../shared/system-error.js';
import { syncDirectory } from './session/journal/private-files.js';
import { ContactBook } from './settings/contact-book.js';
import { SettingsFile } from './settings/settings-file.js';

const OWNER_ONLY = 0o700;
const JOURNALS = 'contacts';

/** The folder that holds a person's settings and journals. Several processes may use one at a time. */
export class Home {
  readonly directory: string;
  readonly contacts: ContactBook;
  readonly #settings: SettingsFile;
  readonly #isNamed: boolean;

  private constructor(directory: string, settings: SettingsFile, isNamed: boolean) {
    this.directory = directory;
    this.#settings = settings;
    this.#isNamed = isNamed;
    this.contacts = new ContactBook({
      settings,
      hasFolder: (contactId) => existsSync(this.#journalPath(contactId)),
      command: (...words) => this.command(...words),
    });
  }

  /**
   * @param directory absolute; made if missing
   * @param isNamed the person said with --home that it is this one
   * @throws UserError if it or its settings cannot be used
   */
  static async open(directory: string, isNamed = false): Promise<Home> {
    makePrivateDirectory(directory);
    return new Home(directory, await SettingsFile.open(directory), isNamed);
  }

  /** A command that is about this home, for the person to copy. */
  command(...words: string[]): string {
    return p2pCommand(words, this.#isNamed ? this.directory : undefined);
  }

  /** Calls back within a second of a change to what is saved, here or in another process. */
  watch(onChange: () => void): () => void {
    return this.#settings.watch(onChange);
  }

  /** Whether anything was ever written down about the contact. */
  hasJournal(contactId: string): boolean {
    return existsSync(join(this.#journalPath(contactId), 'journal.db'));
  }

  /** Where the contact's journal lives; made if missing. */
  contactDirectory(contactId: string): string {
    const path = this.#journalPath(contactId);
    makePrivateDirectory(join(this.directory, JOURNALS));
    makePrivateDirectory(path);
    return path;
  }

  /** The id (SHA-256 of the SPKI, hex) of the key that this mediator showed first. */
  pinnedMediator(host: string, port: number): string | null {
    return this.#settings.read().mediators[mediatorKey(host, port)] ?? null;
  }

  pinMediator(host: string, port: number, id: string): void {
    this.#settings.change(({ mediators }) => {
      mediators[mediatorKey(host, port)] = id;
    });
  }

  #journalPath(contactId: string): string {
    return join(this.directory, JOURNALS, contactId);
  }
}

/** @param configHome the environment's XDG_CONFIG_HOME or, on Windows, APPDATA */
export function defaultHomeDirectory(configHome: string | undefined): string {
  // The XDG specification: a relative path there is to be ignored.
  const base = configHome && isAbsolute(configHome) ? configHome : join(os.homedir(), '.config');
  return join(base, 'turbo-beep');
}

function mediatorKey(host: string, port: number): string {
  return `${host.toLowerCase()}:${port}`;
}

/** Makes the names last in the folder `last`, and in those above it up to `first`. */
function syncNames(first: string, last: string): void {
  syncDirectory(last);
  if (last.length > first.length) syncNames(first, dirname(last));
}

/**
 * An existing folder is closed to others only if it is empty or already ours: `--home .` must not change the rights of
 * a folder that serves other ends too. What we put into it is private in any case.
 */
function makePrivateDirectory(path: string): void {
  try {
    const created = makeFolders(path, OWNER_ONLY);
    if (created !== undefined) syncNames(dirname(created), dirname(path));
    const isOurs = created !== undefined || existsSync(join(path, 'settings.json')) || readdirSync(path).length === 0;
    if (isOurs && (statSync(path).mode & 0o077) !== 0) chmodSync(path, OWNER_ONLY);
  } catch (error) {
    throw new UserError(
      ExitCode.usage,
      `the folder ${path} cannot be used for settings and journals: ${describeSystemError(error)}`,
      'Check the path and its permissions, or name another with --home DIR.',
      { cause: error },
    );
  }
}
