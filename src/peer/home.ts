import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import os from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { ExitCode, UserError } from '../protocol/errors.js';
import { p2pCommand } from '../protocol/shell-command.js';
import { makeFolders } from '../shared/make-folders.js';
import { describeSystemError } from './files/disk-errors.js';
import { changedPeerKey } from './key-change.js';
import { syncDirectory } from './session/journal/private-files.js';
import { type Contact, checkContactName, displayName, nearNames } from './settings/contact.js';
import { SettingsFile } from './settings/settings-file.js';

export type { Contact } from './settings/contact.js';

const OWNER_ONLY = 0o700;
const JOURNALS = 'contacts';
const COMPARE = 'Somebody may want to stand in between. Ask your friend, by voice, for the words of the key.';

/** What is known of a contact before it is in the settings. */
export type NewContact = Omit<Contact, 'contactId' | 'verified' | 'blocked'>;
export type ContactChange = Partial<Omit<Contact, 'contactId' | 'name'>>;

/** The folder that holds a person's settings and journals. Several processes may use one at a time. */
export class Home {
  readonly directory: string;
  readonly #settings: SettingsFile;
  readonly #isNamed: boolean;

  private constructor(directory: string, settings: SettingsFile, isNamed: boolean) {
    this.directory = directory;
    this.#settings = settings;
    this.#isNamed = isNamed;
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

  /** Named ones by name, then the others. */
  listContacts(): Contact[] {
    const order = (contact: Contact) => `${contact.name === null ? 1 : 0}${contact.name ?? contact.peerId}`;
    return this.#settings.read().contacts.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /** @throws UserError, with the names that may have been meant */
  contactByName(name: string): Contact {
    const contacts = this.listContacts();
    return contacts.find((contact) => contact.name === name.normalize('NFC')) ?? this.#throwUnknown(name, contacts);
  }

  /**
   * The contact of these two keys, which is begun without a name if there is none. One without a name takes over where
   * it is to be met now; a saved one keeps what was saved.
   * @param formerOwnIds of keys that `details.ownId` has followed: the contact may know us by one of them still
   * @throws UserError if the file of the peer's key held another one when it was used before
   */
  contactFor(details: Omit<NewContact, 'name'>, formerOwnIds: readonly string[] = []): Contact {
    return this.#settings.change(({ contacts }) => {
      const known = findPair(contacts, details, formerOwnIds);
      if (known?.name === null) return Object.assign(known, placeOf(details));
      if (known === undefined) this.#refuseReplacedFile(contacts, details, formerOwnIds);
      return known ?? begin(contacts, { ...details, name: null });
    });
  }

  /**
   * Saves a contact under a name. A conversation that these two keys began without one goes on under it.
   * @throws UserError if the name cannot be used or is taken, or if these two keys have one already
   */
  addContact(details: NewContact & { name: string }, formerOwnIds: readonly string[] = []): Contact {
    const name = checkContactName(details.name);
    return this.#settings.change(({ contacts }) => {
      const namesake = contacts.find((contact) => contact.name === name);
      if (namesake !== undefined && namesake.peerId !== details.peerId) {
        const hint = `${COMPARE} If the new ones are right: ${this.command('contact', 'remove', name)}, then add it again.`;
        throw changedPeerKey(name, { before: namesake.peerId, now: details.peerId }, hint);
      }
      if (namesake !== undefined) {
        const hint = `Choose another name, or remove it first: ${this.command('contact', 'remove', name)}`;
        throw new UserError(ExitCode.usage, `there is already a contact named ${name}`, hint);
      }
      const known = findPair(contacts, details, formerOwnIds);
      if (known === undefined) return begin(contacts, { ...details, name });
      if (known.name === null) return Object.assign(known, placeOf(details), { name });
      throw new UserError(
        ExitCode.usage,
        `the peer with this key is already saved as ${displayName(known)}`,
        `Use that name, or remove it first: ${this.command('contact', 'remove', known.name)}`,
      );
    });
  }

  /** Changes these fields and no others, whatever other processes change meanwhile. */
  updateContact(contactId: string, change: ContactChange): Contact {
    return this.#settings.change(({ contacts }) => {
      const contact = contacts.find((each) => each.contactId === contactId);
      if (contact === undefined) {
        throw new UserError(
          ExitCode.usage,
          'the contact was removed meanwhile',
          `See: ${this.command('contact', 'list')}`,
        );
      }
      return Object.assign(contact, change);
    });
  }

  /**
   * Forgets the name, and the rest too unless a journal was begun: what was written to the peer, and may not have
   * arrived yet, is not thrown away with its name. A blocked one stays blocked.
   * @returns whether a journal is kept. @throws UserError if the name is unknown
   */
  removeContact(name: string): { journalKept: boolean } {
    return this.#settings.change((settings) => {
      const contact = settings.contacts.find((each) => each.name === name.normalize('NFC'));
      if (contact === undefined) return this.#throwUnknown(name, settings.contacts);
      const journalKept = existsSync(this.#journalPath(contact.contactId));
      if (journalKept || contact.blocked) Object.assign(contact, { name: null, verified: false });
      else settings.contacts = settings.contacts.filter((each) => each !== contact);
      return { journalKept };
    });
  }

  /** A contact by its name or, if it may have none, by its peer id or the beginning of it that lists show. */
  contactByNameOrId(text: string): Contact {
    const contacts = this.listContacts();
    const byId = /^[0-9a-f]{16,64}$/.test(text) ? contacts.find(({ peerId }) => peerId.startsWith(text)) : undefined;
    return contacts.find(({ name }) => name === text.normalize('NFC')) ?? byId ?? this.#throwUnknown(text, contacts);
  }

  /** Bars this key, or admits it again, whichever own key and name it is talked to with. */
  setBlocked(peerId: string, blocked: boolean): void {
    this.#settings.change(({ contacts }) => {
      for (const contact of contacts) if (contact.peerId === peerId) contact.blocked = blocked;
    });
  }

  isBlocked(peerId: string): boolean {
    return this.#settings.read().contacts.some((contact) => contact.blocked && contact.peerId === peerId);
  }

  /** Calls back within a second of a change to what is saved, here or in another process. */
  watch(onChange: () => void): () => void {
    return this.#settings.watch(onChange);
  }

  /** The contact of these two keys, if they have ever talked or were saved. */
  findContact(pair: Pair, formerOwnIds: readonly string[] = []): Contact | null {
    return findPair(this.#settings.read().contacts, pair, formerOwnIds) ?? null;
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

  #refuseReplacedFile(
    contacts: Contact[],
    { host, port, keys, ownId, peerId, peerFile }: Omit<NewContact, 'name'>,
    formerOwnIds: readonly string[],
  ): void {
    if (peerFile === undefined) return;
    const before = contacts.find(
      (contact) => [ownId, ...formerOwnIds].includes(contact.ownId) && contact.peerFile === peerFile,
    );
    if (before === undefined) return;
    const place = ['--host', host, '--port', String(port), '--keys', keys, '--peer', peerFile];
    const save = this.command('contact', 'add', 'NAME', ...place);
    const hint = `${COMPARE} If the new ones are right, save the key under a name: ${save}`;
    throw changedPeerKey(`the file ${peerFile}`, { before: before.peerId, now: peerId }, hint);
  }

  #throwUnknown(name: string, contacts: Contact[]): never {
    const names = contacts.flatMap((contact) => contact.name ?? []);
    const near = nearNames(name, names);
    const list = `See: ${this.command('contact', 'list')}`;
    const place = ['--host', 'H', '--port', 'P', '--keys', 'FILE', '--peer', 'FILE'];
    const hint =
      near.length > 0
        ? `Did you mean ${near.join(' or ')}? ${list}`
        : `${list}. To save one: ${this.command('contact', 'add', 'NAME', ...place)}`;
    throw new UserError(ExitCode.usage, `there is no contact named ${name}`, hint);
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

function begin(contacts: Contact[], details: NewContact): Contact {
  const contact = { ...details, contactId: randomBytes(8).toString('hex'), verified: false, blocked: false };
  contacts.push(contact);
  return contact;
}

type Pair = Pick<Contact, 'ownId' | 'peerId'>;

/** Keys of either side may have followed others: the contact is the same. */
function findPair(contacts: Contact[], { ownId, peerId }: Pair, formerOwnIds: readonly string[]): Contact | undefined {
  const isExact = (contact: Contact) => contact.ownId === ownId && contact.peerId === peerId;
  const isDescended = (contact: Contact) =>
    [ownId, ...formerOwnIds].includes(contact.ownId) &&
    [contact.peerId, ...(contact.formerPeerIds ?? [])].includes(peerId);
  return contacts.find(isExact) ?? contacts.find(isDescended);
}

function placeOf({ host, port, keys }: Pick<Contact, 'host' | 'port' | 'keys'>) {
  return { host, port, keys };
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
