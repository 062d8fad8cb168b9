import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Identity, type PublicIdentity, parsePublicPem, UnusableKeyError } from '../../protocol/identity.js';
import type { Contact, Home } from '../home.js';
import { compareKeys } from '../key-change.js';
import { type KeyOptions, loadOwnKeys, loadPeerKey, refuseOwnKeyAsPeer } from '../keys.js';
import { displayName } from '../settings/contact.js';
import { parseHost, parsePort, wrong } from './values.js';

/** Whom a command is about, with the keys of both. */
export interface Whom {
  host: string;
  port: number;
  identity: Identity;
  peer: PublicIdentity;
  contact: Contact;
  home: Home;
}

/** A saved contact. @throws UserError */
export async function meetContact(name: string, home: Home, keys: KeyOptions): Promise<Whom> {
  const contact = home.contactByName(name);
  const { host, port } = contact;
  const peer = savedPeer(contact);
  await warnOfReplacedFile(contact, keys);
  const identity = await loadOwnKeys(contact.keys, keys);
  if (identity.id !== contact.ownId) {
    throw wrong(
      `${contact.keys} holds another key pair than when ${displayName(contact)} was saved`,
      `Put the old one back, or save anew: p2p contact remove ${displayName(contact)}, then p2p contact add`,
    );
  }
  return { host, port, identity, peer, contact, home };
}

/** The saved key is the one that counts, but the person should hear that the file it came from has another now. */
async function warnOfReplacedFile({ name, peerFile, peerId }: Contact, { warn }: KeyOptions): Promise<void> {
  if (peerFile === undefined || !existsSync(peerFile)) return;
  const shown = await loadPeerKey(peerFile).catch(() => null);
  if (shown === null || shown.id === peerId) return;
  const keys = compareKeys({ label: 'saved', id: peerId }, { label: 'in the file', id: shown.id });
  warn(`${peerFile} holds another key now than when ${name} was saved, and is not believed:\n${keys}`);
}

function savedPeer(contact: Contact): PublicIdentity {
  try {
    const peer = parsePublicPem(contact.peerPem);
    if (peer.id === contact.peerId) return peer;
  } catch (error) {
    if (!(error instanceof UnusableKeyError)) throw error;
  }
  const name = displayName(contact);
  throw wrong(`the saved key of ${name} is damaged`, `Save it anew: p2p contact remove ${name}, then p2p contact add`);
}

/** Whoever has this key; remembered without a name if they are new. @throws UserError */
export async function meetByKey(
  words: { host: string; port: string; keys: string; peer: string },
  open: () => Promise<Home>,
  keys: KeyOptions,
): Promise<Whom> {
  const host = parseHost(words.host);
  const port = parsePort(words.port);
  const peer = await loadPeerKey(words.peer);
  const identity = await loadOwnKeys(words.keys, keys);
  refuseOwnKeyAsPeer(identity, peer);
  const home = await open();
  const contact = home.contactFor({
    host,
    port,
    keys: resolve(words.keys),
    peerPem: peer.key.export({ type: 'spki', format: 'pem' }).toString(),
    peerFile: resolve(words.peer),
    peerId: peer.id,
    ownId: identity.id,
  });
  return { host, port, identity, peer, contact, home };
}

/** Whoever was talked to with these two keys, saved or not; null if nobody was. @throws UserError */
export async function findByKey(
  words: { keys: string; peer: string },
  home: Home,
  keys: KeyOptions,
): Promise<Whom | null> {
  const peer = await loadPeerKey(words.peer);
  const identity = await loadOwnKeys(words.keys, keys);
  refuseOwnKeyAsPeer(identity, peer);
  const contact = home.findContact({ ownId: identity.id, peerId: peer.id });
  return contact && { host: contact.host, port: contact.port, identity, peer, contact, home };
}
