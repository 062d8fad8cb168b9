import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Identity, type PublicIdentity, parsePublicPem, UnusableKeyError } from '../../protocol/identity.js';
import type { Home } from '../home.js';
import { formerIds, loadKeysSince, type OwnKeys, rememberPassphrase } from '../keys/former-keys.js';
import { compareKeys } from '../keys/key-change.js';
import { checkPeerKey, type KeyOptions, loadOwnKeys, loadPeerKey } from '../keys/load-keys.js';
import { type Contact, displayName } from '../settings/contact.js';
import { parseHost, parsePort, wrong } from './values.js';

/** Whom a command is about, with the keys of both. */
export interface Whom {
  host: string;
  port: number;
  /** From the key by which the contact knows us to the one that we use now. */
  own: OwnKeys;
  peer: PublicIdentity;
  contact: Contact;
  home: Home;
}

/** A saved contact. @throws UserError */
export async function meetContact(name: string, home: Home, keys: KeyOptions): Promise<Whom> {
  const contact = home.contacts.byName(name);
  const { host, port } = contact;
  const peer = savedPeer(contact, home);
  await warnOfReplacedFile(contact, keys);
  const options = rememberPassphrase(keys);
  const own = await ownKeysFor(contact, home, await loadOwnKeys(contact.keys, options), contact.keys, options);
  return { host, port, own, peer, contact, home };
}

/** What opens a contact's journal, whichever of our keys it was written under. */
export function journalKeys({ line }: OwnKeys): { privateKey: KeyObject; formerKeys: KeyObject[] } {
  const [newest, ...former] = line.map(({ privateKey }) => privateKey).reverse();
  return { privateKey: newest ?? line[0].privateKey, formerKeys: former };
}

async function ownKeysFor(
  contact: Contact,
  home: Home,
  newest: Identity,
  file: string,
  keys: KeyOptions,
): Promise<OwnKeys> {
  const own = await loadKeysSince(newest, file, contact.ownId, keys);
  if (own !== null) return own;
  throw wrong(
    `${file} holds another key pair than when ${displayName(contact)} was saved`,
    `Put the old one back, or ${saveAnew(contact, home)}`,
  );
}

/** The saved key is the one that counts, but the person should hear that the file it came from has another now. */
async function warnOfReplacedFile(contact: Contact, { warn }: KeyOptions): Promise<void> {
  const { name, peerFile, peerId, formerPeerIds = [] } = contact;
  if (peerFile === undefined || !existsSync(peerFile)) return;
  const shown = await loadPeerKey(peerFile).catch(() => null);
  if (shown === null || [peerId, ...formerPeerIds].includes(shown.id)) return;
  const keys = compareKeys({ label: 'saved', id: peerId }, { label: 'in the file', id: shown.id });
  warn(`${peerFile} holds another key now than when ${name} was saved, and is not believed:`);
  for (const line of keys.split('\n')) warn(line);
}

/** Only a named one can be removed. */
function saveAnew({ name }: Contact, home: Home): string {
  if (name === null) return `save it under a name: ${home.command('contact', 'add')}`;
  return `save it anew: ${home.command('contact', 'remove', name)}, then ${home.command('contact', 'add')}`;
}

function savedPeer(contact: Contact, home: Home): PublicIdentity {
  try {
    const peer = parsePublicPem(contact.peerPem);
    if (peer.id === contact.peerId) return peer;
  } catch (error) {
    if (!(error instanceof UnusableKeyError)) throw error;
  }
  throw wrong(`the saved key of ${displayName(contact)} is damaged`, `To mend it, ${saveAnew(contact, home)}`);
}

/** Whoever has this key; remembered without a name if they are new. @throws UserError */
export async function meetByKey(
  words: { host: string; port: string; keys: string; peer: string },
  open: () => Promise<Home>,
  options: KeyOptions,
): Promise<Whom> {
  const keys = rememberPassphrase(options);
  const host = parseHost(words.host);
  const port = parsePort(words.port);
  const peer = await loadPeerKey(words.peer);
  const identity = await loadOwnKeys(words.keys, keys);
  checkPeerKey(identity, peer, options.warn);
  const home = await open();
  const details = {
    host,
    port,
    keys: resolve(words.keys),
    peerPem: peer.key.export({ type: 'spki', format: 'pem' }).toString(),
    peerFile: resolve(words.peer),
    peerId: peer.id,
    ownId: identity.id,
  };
  const contact = home.contacts.forKeys(details, formerIds(words.keys, identity.id));
  const own = await ownKeysFor(contact, home, identity, words.keys, keys);
  return { host, port, own, peer: presentPeer(contact, home, peer, words.peer, keys), contact, home };
}

/** Whoever was talked to with these two keys, saved or not; null if nobody was. @throws UserError */
export async function findByKey(
  words: { keys: string; peer: string },
  home: Home,
  options: KeyOptions,
): Promise<Whom | null> {
  const keys = rememberPassphrase(options);
  const peer = await loadPeerKey(words.peer);
  const identity = await loadOwnKeys(words.keys, keys);
  checkPeerKey(identity, peer, options.warn);
  const pair = { ownId: identity.id, peerId: peer.id };
  const contact = home.contacts.find(pair, formerIds(words.keys, identity.id));
  if (contact === null) return null;
  const own = await ownKeysFor(contact, home, identity, words.keys, keys);
  const present = presentPeer(contact, home, peer, words.peer, keys);
  return { host: contact.host, port: contact.port, own, peer: present, contact, home };
}

/** The key in the file, unless the person follows one that came after it: the old one may be a thief's by now. */
function presentPeer(
  contact: Contact,
  home: Home,
  peer: PublicIdentity,
  file: string,
  { warn }: KeyOptions,
): PublicIdentity {
  if (contact.peerId === peer.id) return peer;
  const present = savedPeer(contact, home);
  warn(`${file} holds a key that another has followed, which is used instead: ${present.id}; replace that file`);
  return present;
}
