import { stripVTControlCharacters } from 'node:util';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { shortId } from '../../protocol/identity.js';
import { sanitiseLine } from '../../protocol/sanitise.js';

/** One peer as one of our own keys talks to it. */
export interface Contact {
  /** 16 random hex digits. Names the journal's folder, and stays when either side's key is rotated. */
  contactId: string;
  /** null: talked to by naming everything on the command line, never saved. */
  name: string | null;
  host: string;
  port: number;
  /** Absolute path of our own key pair for this peer. */
  keys: string;
  /** The peer's public key itself, so that its file may vanish. */
  peerPem: string;
  /** Absolute path of the file that the peer's key came from, to notice when it holds another. */
  peerFile?: string;
  peerId: string;
  /** Of keys that the peer had before, and that nobody is to pass for it with any more. */
  formerPeerIds?: string[];
  /** Of the key by which the peer knows us; a later one may be in `keys` already. */
  ownId: string;
  /** The person has compared the words. */
  verified: boolean;
  blocked: boolean;
}

const MAX_NAME_LETTERS = 64;
/** `p2p NAME` must mean the contact, now and when later commands come. */
const COMMAND_NAMES = new Set([
  'send',
  'receive',
  'pipe',
  'keygen',
  'id',
  'contact',
  'history',
  'key',
  'doctor',
  'help',
]);

/** @returns the name in its one Unicode form. @throws UserError */
export function checkContactName(text: string): string {
  const name = text.normalize('NFC');
  const refuse = (why: string) =>
    new UserError(ExitCode.usage, `not a name for a contact: ${why}`, 'Try a short word.');
  const { length } = [...name];
  if (length < 1 || length > MAX_NAME_LETTERS) throw refuse(`it must have 1 to ${MAX_NAME_LETTERS} letters`);
  if (sanitiseLine(name) !== name || stripVTControlCharacters(name) !== name) throw refuse('it has control characters');
  if (name.trim() !== name) throw refuse('it begins or ends with a blank');
  if (name.startsWith('-')) throw refuse(`"${name}" looks like an option`);
  if (COMMAND_NAMES.has(name)) throw refuse(`"${name}" is a command`);
  return name;
}

export function displayName(contact: Pick<Contact, 'name' | 'peerId'>): string {
  return contact.name === null ? shortId(contact.peerId) : sanitiseLine(contact.name);
}
