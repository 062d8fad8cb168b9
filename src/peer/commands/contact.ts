import { resolve } from 'node:path';
import { ExitCode } from '../../protocol/errors.js';
import { shortId } from '../../protocol/identity.js';
import { verificationWords } from '../../protocol/words.js';
import { formerIds } from '../keys/former-keys.js';
import { checkPeerKey, identifyOwnKeys, loadPeerKey } from '../keys/load-keys.js';
import { type Contact, displayName } from '../settings/contact.js';
import { print, printJson } from '../ui/output.js';
import { yesNoPrompt } from '../ui/prompt.js';
import type { Environment } from './environment.js';
import { keyOptions, warnOfDemoKey } from './key-options.js';
import { openHome } from './open-home.js';
import { wrong } from './values.js';

export interface AddArguments {
  name: string;
  host: string;
  port: number;
  keys: string;
  peer: string;
  home: string | undefined;
  passphraseFile: string | undefined;
}

interface ContactArguments {
  name: string;
  home: string | undefined;
}

export async function addContact(options: AddArguments, environment: Environment): Promise<ExitCode> {
  const keys = keyOptions(options.passphraseFile, environment);
  const own = await identifyOwnKeys(options.keys, keys);
  const peer = await loadPeerKey(options.peer);
  checkPeerKey(own, peer, keys.warn);
  warnOfDemoKey('your own key', own.id, environment);
  warnOfDemoKey("the peer's key", peer.id, environment);
  const home = await openHome(options.home, environment);
  const contact = home.contacts.add(
    {
      name: options.name,
      host: options.host,
      port: options.port,
      keys: resolve(options.keys),
      peerPem: peer.key.export({ type: 'spki', format: 'pem' }).toString(),
      peerFile: resolve(options.peer),
      peerId: peer.id,
      ownId: own.id,
    },
    formerIds(options.keys, own.id),
  );
  const name = displayName(contact);
  print(`Saved ${name}. To talk: ${home.command(name)}`);
  if (home.contacts.isBlocked(peer.id))
    print(`This key is blocked. To talk: ${home.command('contact', 'unblock', name)}`);
  print('To be sure of the key, read each other the words of both: type /verify in the chat.');
  return ExitCode.done;
}

export async function listContacts(
  options: { home: string | undefined; json: boolean },
  environment: Environment,
): Promise<ExitCode> {
  const home = await openHome(options.home, environment);
  const contacts = home.contacts.list();
  if (options.json) printJson(contacts.map(toJson));
  else if (contacts.length === 0) print(`No contacts yet. To save one: ${home.command('contact', 'add', '--help')}`);
  else for (const contact of contacts) print(listLine(contact));
  return ExitCode.done;
}

export async function showContact(
  options: ContactArguments & { json: boolean },
  environment: Environment,
): Promise<ExitCode> {
  const contact = (await openHome(options.home, environment)).contacts.byName(options.name);
  if (options.json) {
    printJson({ ...toJson(contact), words: verificationWords(contact.peerId) });
    return ExitCode.done;
  }
  print(`name      ${displayName(contact)}${contact.blocked ? ' (blocked)' : ''}`);
  print(`peer id   ${contact.peerId}`);
  print(`words     ${verificationWords(contact.peerId).join(' ')}`);
  print(`verified  ${contact.verified ? 'yes' : 'no'}`);
  print(`mediator  ${contact.host} port ${contact.port}`);
  print(`own keys  ${contact.keys}`);
  print(`own id    ${contact.ownId}`);
  print(`own words ${verificationWords(contact.ownId).join(' ')}`);
  return ExitCode.done;
}

export async function removeContact(options: ContactArguments, environment: Environment): Promise<ExitCode> {
  const home = await openHome(options.home, environment);
  const { journalKept } = home.contacts.remove(options.name);
  print(`Removed ${options.name}.`);
  if (journalKept) print('What was said is kept, encrypted, and is there again if you save the same peer once more.');
  return ExitCode.done;
}

/** Shows the words of both keys, in the order that both people see, and remembers that they were compared. */
export async function verifyContact(
  options: ContactArguments & { yes: boolean; undo: boolean },
  environment: Environment,
): Promise<ExitCode> {
  const home = await openHome(options.home, environment);
  const contact = home.contacts.byName(options.name);
  const name = displayName(contact);
  if (options.undo) {
    home.contacts.update(contact.contactId, { verified: false });
    print(`${name}'s key does not count as verified any more.`);
    return ExitCode.done;
  }
  const keys = [
    { whose: 'yours', id: contact.ownId },
    { whose: name, id: contact.peerId },
  ].sort((a, b) => (a.id < b.id ? -1 : 1));
  print('Read these words to each other, by voice.\nBoth of you see them in this order.');
  for (const { whose, id } of keys) {
    const words = verificationWords(id);
    const half = words.length / 2;
    // Two lines: so they fit the narrowest terminals.
    print(`\n${whose}\n  ${words.slice(0, half).join(' ')}\n  ${words.slice(half).join(' ')}`);
  }
  print('');
  if (!options.yes && !(await confirmSame())) {
    print(`Nothing was changed: ${name}'s key counts as ${contact.verified ? 'verified' : 'not verified'}.`);
    return ExitCode.done;
  }
  home.contacts.update(contact.contactId, { verified: true });
  print(`${name}'s key is verified.`);
  return ExitCode.done;
}

function confirmSame(): Promise<boolean> {
  const ask = yesNoPrompt();
  if (ask === null) throw wrong('there is no terminal to ask on', 'Once you have compared the words: --yes');
  return ask('Are they the same on both sides? [y/N] ');
}

/** Bars or admits the contact's key, under its name or any other; a session with it that is going on ends at once. */
export async function blockContact(
  options: ContactArguments & { blocked: boolean },
  environment: Environment,
): Promise<ExitCode> {
  const home = await openHome(options.home, environment);
  const contact = home.contacts.byNameOrId(options.name);
  const name = displayName(contact);
  home.contacts.setBlocked(contact.peerId, options.blocked);
  const undo = home.command('contact', 'unblock', name);
  print(options.blocked ? `Blocked ${name}. To undo: ${undo}` : `${name} is no longer blocked.`);
  return ExitCode.done;
}

function listLine(contact: Contact): string {
  const marks = [contact.verified ? 'verified' : '', contact.blocked ? 'blocked' : ''].filter((mark) => mark !== '');
  const name = contact.name === null ? '(not saved)' : displayName(contact);
  const where = `${contact.host} port ${contact.port}`;
  return [name.padEnd(20), shortId(contact.peerId), where, ...marks].join('  ');
}

function toJson(contact: Contact) {
  const { name, peerId, ownId, host, port, keys, verified, blocked } = contact;
  return { name, id: peerId, ownId, host, port, keys, verified, blocked };
}
