import { ExitCode } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import { InvalidSuccessionError, type Succession, successionsInPem } from '../../protocol/succession.js';
import { verificationWords } from '../../protocol/words.js';
import type { Home } from '../home.js';
import { readKeyFile } from '../keys/key-file.js';
import { loadPeerKey, PEER_KEY } from '../keys/load-keys.js';
import { PeerKeys } from '../session/peer-keys.js';
import { displayName } from '../settings/contact.js';
import { print } from '../ui/output.js';
import type { Environment } from './environment.js';
import { keyOptions } from './key-options.js';
import { openHome } from './open-home.js';
import { openJournal } from './open-journal.js';
import { wrong } from './values.js';
import { meetContact } from './whom.js';

export interface FollowArguments {
  name: string;
  /** A public.pem with what former keys said of it; without it, what the contact said in a session. */
  file: string | undefined;
  home: string | undefined;
  passphraseFile: string | undefined;
}

/** Makes a contact known by the last key that its present one leads to. @throws UserError */
export async function followContact(options: FollowArguments, environment: Environment): Promise<ExitCode> {
  const { name, file } = options;
  const brought = file === undefined ? [] : readSuccessions(file);
  const home = await openHome(options.home, environment);
  const whom = await meetContact(name, home, keyOptions(options.passphraseFile, environment));
  const { contact } = whom;
  const journal = openJournal(whom, 'End it first.');
  try {
    const peerKeys = new PeerKeys(contact.peerId, journal.memory, () => {});
    for (const succession of brought) peerKeys.learn(succession);
    const offered = peerKeys.offered();
    if (offered === null) throw await nothingToFollow(contact, file);
    followPeer(home, contact.contactId, offered);
    print(`${displayName(contact)} is known by this key from now on:`);
    print(`id     ${offered.id}`);
    print(`words  ${verificationWords(offered.id).join(' ')}`);
    print('It is not verified yet: compare these words by voice.');
    return ExitCode.done;
  } finally {
    journal.close();
  }
}

function readSuccessions(file: string): Succession[] {
  try {
    return successionsInPem(readKeyFile(file, PEER_KEY).text);
  } catch (error) {
    if (!(error instanceof InvalidSuccessionError)) throw error;
    throw wrong(
      `${file} cannot be followed: ${error.message}`,
      'Ask for it again; it may have been damaged on the way.',
    );
  }
}

async function nothingToFollow(contact: { peerId: string; name: string | null }, file: string | undefined) {
  const name = displayName(contact);
  if (file === undefined) return wrong(`${name} has named no new key`, 'Name the file that you were given.');
  if ((await loadPeerKey(file)).id === contact.peerId)
    return wrong(`${name} is known by that key already`, 'All is well.');
  return wrong(
    `${file} does not say that it follows the key of ${name}`,
    'Ask for the public.pem that p2p key rotate wrote; or, if the old key is lost, compare words and save it anew.',
  );
}

/** From now on the contact is this key and no other. Nobody has compared its words yet. @throws UserError */
export function followPeer(home: Home, contactId: string, peer: PublicIdentity): void {
  const contact = home.contacts.list().find((each) => each.contactId === contactId);
  home.contacts.update(contactId, {
    peerId: peer.id,
    peerPem: peer.key.export({ type: 'spki', format: 'pem' }).toString(),
    formerPeerIds: [...(contact?.formerPeerIds ?? []), ...(contact ? [contact.peerId] : [])],
    verified: false,
  });
}
