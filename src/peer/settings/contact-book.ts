import { randomBytes } from 'node:crypto';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { changedPeerKey } from '../keys/key-change.js';
import { type Contact, checkContactName, displayName } from './contact.js';
import { nearNames } from './near-names.js';
import type { SettingsFile } from './settings-file.js';

const COMPARE = 'Somebody may want to stand in between. Ask your friend, by voice, for the words of the key.';

/** What is known of a contact before it is in the settings. */
export type NewContact = Omit<Contact, 'contactId' | 'verified' | 'blocked'>;
export type ContactChange = Partial<Omit<Contact, 'contactId' | 'name'>>;

export interface ContactBookOptions {
  settings: SettingsFile;
  /** Whether the home keeps a folder for this contact. */
  hasFolder(contactId: string): boolean;
  /** A command for the person to copy. */
  command(...words: string[]): string;
}

/** Everybody whom the person has talked to or saved. Other processes may change it at any time. */
export class ContactBook {
  readonly #settings: SettingsFile;
  readonly #hasFolder: ContactBookOptions['hasFolder'];
  readonly #command: ContactBookOptions['command'];

  constructor({ settings, hasFolder, command }: ContactBookOptions) {
    this.#settings = settings;
    this.#hasFolder = hasFolder;
    this.#command = command;
  }

  /** Named ones by name, then the others. */
  list(): Contact[] {
    const order = (contact: Contact) => `${contact.name === null ? 1 : 0}${contact.name ?? contact.peerId}`;
    return this.#settings.read().contacts.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /** @throws UserError, with the names that may have been meant */
  byName(name: string): Contact {
    const contacts = this.list();
    return contacts.find((contact) => contact.name === name.normalize('NFC')) ?? this.#throwUnknown(name, contacts);
  }

  /**
   * The contact of these two keys, which is begun without a name if there is none. One without a name takes over where
   * it is to be met now; a saved one keeps what was saved.
   * @param formerOwnIds of keys that `details.ownId` has followed: the contact may know us by one of them still
   * @throws UserError if the file of the peer's key held another one when it was used before
   */
  forKeys(details: Omit<NewContact, 'name'>, formerOwnIds: readonly string[] = []): Contact {
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
  add(details: NewContact & { name: string }, formerOwnIds: readonly string[] = []): Contact {
    const name = checkContactName(details.name);
    return this.#settings.change(({ contacts }) => {
      const namesake = contacts.find((contact) => contact.name === name);
      if (namesake !== undefined && namesake.peerId !== details.peerId) {
        const hint = `${COMPARE} If the new ones are right: ${this.#command('contact', 'remove', name)}, then add it again.`;
        throw changedPeerKey(name, { before: namesake.peerId, now: details.peerId }, hint);
      }
      if (namesake !== undefined) {
        const hint = `Choose another name, or remove it first: ${this.#command('contact', 'remove', name)}`;
        throw new UserError(ExitCode.usage, `there is already a contact named ${name}`, hint);
      }
      const known = findPair(contacts, details, formerOwnIds);
      if (known === undefined) return begin(contacts, { ...details, name });
      if (known.name === null) return Object.assign(known, placeOf(details), { name });
      throw new UserError(
        ExitCode.usage,
        `the peer with this key is already saved as ${displayName(known)}`,
        `Use that name, or remove it first: ${this.#command('contact', 'remove', known.name)}`,
      );
    });
  }

  /** Changes these fields and no others, whatever other processes change meanwhile. */
  update(contactId: string, change: ContactChange): Contact {
    return this.#settings.change(({ contacts }) => {
      const contact = contacts.find((each) => each.contactId === contactId);
      if (contact === undefined) {
        throw new UserError(
          ExitCode.usage,
          'the contact was removed meanwhile',
          `See: ${this.#command('contact', 'list')}`,
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
  remove(name: string): { journalKept: boolean } {
    return this.#settings.change((settings) => {
      const contact = settings.contacts.find((each) => each.name === name.normalize('NFC'));
      if (contact === undefined) return this.#throwUnknown(name, settings.contacts);
      const journalKept = this.#hasFolder(contact.contactId);
      if (journalKept || contact.blocked) Object.assign(contact, { name: null, verified: false });
      else settings.contacts = settings.contacts.filter((each) => each !== contact);
      return { journalKept };
    });
  }

  /** A contact by its name or, if it may have none, by its peer id or the beginning of it that lists show. */
  byNameOrId(text: string): Contact {
    const contacts = this.list();
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

  /** The contact of these two keys, if they have ever talked or were saved. */
  find(pair: Pair, formerOwnIds: readonly string[] = []): Contact | null {
    return findPair(this.#settings.read().contacts, pair, formerOwnIds) ?? null;
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
    const save = this.#command('contact', 'add', 'NAME', ...place);
    const hint = `${COMPARE} If the new ones are right, save the key under a name: ${save}`;
    throw changedPeerKey(`the file ${peerFile}`, { before: before.peerId, now: peerId }, hint);
  }

  #throwUnknown(name: string, contacts: Contact[]): never {
    const names = contacts.flatMap((contact) => contact.name ?? []);
    const near = nearNames(name, names);
    const list = `See: ${this.#command('contact', 'list')}`;
    const place = ['--host', 'H', '--port', 'P', '--keys', 'FILE', '--peer', 'FILE'];
    const hint =
      near.length > 0
        ? `Did you mean ${near.join(' or ')}? ${list}`
        : `${list}. To save one: ${this.#command('contact', 'add', 'NAME', ...place)}`;
    throw new UserError(ExitCode.usage, `there is no contact named ${name}`, hint);
  }
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
