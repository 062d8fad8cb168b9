import type { Contact } from './contact.js';

export interface Settings {
  contacts: Contact[];
  /** "host:port" to the SHA-256 of the mediator's SPKI, hex. */
  mediators: Record<string, string>;
}

/** The message says where. */
export class DamagedSettingsError extends Error {
  override readonly name = 'DamagedSettingsError';
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isFlag: Check = (value) => typeof value === 'boolean';
const isId: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

const CONTACT: Record<keyof Contact, Check> = {
  contactId: (value) => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value),
  name: (value) => value === null || isText(value),
  host: isText,
  port: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65535,
  keys: isText,
  peerPem: isText,
  peerFile: (value) => value === undefined || isText(value),
  peerId: isId,
  formerPeerIds: (value) => value === undefined || (Array.isArray(value) && value.every(isId)),
  ownId: isId,
  verified: isFlag,
  blocked: isFlag,
};

/**
 * What is on the disk is looked at before it is believed: contactId becomes a path, a wrong id a wrong peer. What a
 * later version keeps there besides is let be.
 * @throws DamagedSettingsError
 */
export function checkSettings(stored: unknown): Partial<Settings> {
  const { contacts = [], mediators = {} } = fieldsOf('the whole', stored);
  if (!Array.isArray(contacts)) throw damaged('contacts');
  for (const [index, contact] of contacts.entries()) checkContact(`contacts/${index}`, contact);
  for (const [place, id] of Object.entries(fieldsOf('mediators', mediators))) {
    if (!isId(id)) throw damaged(`mediators/${place}`);
  }
  return stored as Partial<Settings>;
}

function checkContact(where: string, contact: unknown): void {
  const fields = fieldsOf(where, contact);
  for (const [name, check] of Object.entries(CONTACT)) {
    if (!check(fields[name])) throw damaged(`${where}/${name}`);
  }
}

function fieldsOf(where: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(where);
  return value as Record<string, unknown>;
}

function damaged(where: string): DamagedSettingsError {
  return new DamagedSettingsError(`${where} is not what it should be`);
}
