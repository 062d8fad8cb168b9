import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { type Identity, type PublicIdentity, shortId } from '../../protocol/identity.js';
import { PATH_KINDS } from '../../protocol/messages.js';
import { type Finding, failed } from '../doctor/check.js';
import type { Patient } from '../doctor/doctor.js';
import type { Home } from '../home.js';
import { checkPeerKey, type KeyOptions, loadOwnKeys, loadPeerKey } from '../keys/load-keys.js';
import { mediatorJudge } from '../mediator/judge.js';
import { SessionLock } from '../session/journal/session-lock.js';
import { type Contact, displayName } from '../settings/contact.js';
import { standardStreams } from '../ui/output.js';
import type { ConnectionArguments } from './command-options.js';
import type { Environment } from './environment.js';
import { keyOptions, warnOfDemoKey } from './key-options.js';
import { openHome } from './open-home.js';
import { blockedError, readMediatorKey } from './talk-options.js';
import { parseHost, parsePaths, parsePort, parseTimeout } from './values.js';
import { meetContact } from './whom.js';

export type DoctorTarget = { contact: string } | { host: string; port: string; keys: string; peer: string | undefined };

/** The command line's words, as they stand there. */
export interface DoctorArguments extends ConnectionArguments {
  target: DoctorTarget;
}

export interface DoctorOptions {
  patient: Patient;
  json: boolean;
  colour: boolean;
  /** What the other person is to run meanwhile; null: nobody was named. */
  invitation: Invitation | null;
}

export interface Invitation {
  name: string;
  command: string;
  /** What the files in the command are, over there. */
  explanation: string;
}

/** A script that waits for a person without end is stuck. */
const PATIENCE_OF_SCRIPTS_MS = 20_000;

/** Turns words into checked values. Begins no contact and no journal. @throws UserError */
export async function prepareDoctor(words: DoctorArguments, environment: Environment): Promise<DoctorOptions> {
  const { output } = standardStreams();
  const isWatched = output.isTTY === true && !words.json;
  const unlimited = isWatched ? null : PATIENCE_OF_SCRIPTS_MS;
  const timeoutMs = words.timeout === undefined ? unlimited : parseTimeout(words.timeout);
  const paths = words.paths === undefined ? [...PATH_KINDS] : parsePaths(words.paths);
  const keys = keyOptions(words.passphraseFile, environment);
  const mediatorKey = words.mediatorKey === undefined ? null : await readMediatorKey(words.mediatorKey, keys);
  const home = await openHome(words.home, environment);
  const { host, port, identity, peer, contact } =
    'contact' in words.target ? await byName(words.target.contact, home, keys) : await byKey(words.target, home, keys);
  warnOfDemoKey('your own key', identity.id, environment);
  if (peer) warnOfDemoKey("the peer's key", peer.id, environment);

  const pinned = mediatorKey ?? home.pinnedMediator(host, port);
  const name = contact?.name ? displayName(contact) : 'the peer';
  if (peer && home.contacts.isBlocked(peer.id)) throw blockedError(contact ?? { name: null, peerId: peer.id }, home);
  const { hostCandidates, portMapping, json } = words;
  const patient: Patient = {
    ...{ host, port, identity, timeoutMs, paths, hostCandidates, portMapping, pinned },
    peer: peer && { identity: peer, name },
    judgeMediator: mediatorJudge({
      host,
      port,
      pinned,
      byHand: mediatorKey !== null,
      pin: (id) => home.pinMediator(host, port, id),
    }),
    whyNotMeet: () => (contact ? refuseWhileTalking(home, contact) : null),
  };
  const colour = isWatched && !environment.noColour && environment.term !== 'dumb';
  return { patient, json, colour, invitation: peer && invite(name, host, port, identity) };
}

interface Known {
  host: string;
  port: number;
  identity: Identity;
  peer: PublicIdentity | null;
  /** Null: these two have not met from here. */
  contact: Contact | null;
}

/** As the contact knows us: it need not have followed to our newest key. */
async function byName(name: string, home: Home, keys: KeyOptions): Promise<Known> {
  const { own, ...whom } = await meetContact(name, home, keys);
  return { ...whom, identity: own.line[0] };
}

async function byKey(words: Exclude<DoctorTarget, { contact: string }>, home: Home, keys: KeyOptions): Promise<Known> {
  const host = parseHost(words.host);
  const port = parsePort(words.port);
  const peer = words.peer === undefined ? null : await loadPeerKey(words.peer);
  const identity = await loadOwnKeys(words.keys, keys);
  if (peer) checkPeerKey(identity, peer, keys.warn);
  const contact = peer && home.contacts.find({ ownId: identity.id, peerId: peer.id });
  return { host, port, identity, peer, contact };
}

/** The mediator has room for one program of a pair: a second would end the conversation of the first. */
function refuseWhileTalking(home: Home, { contactId }: Contact): Finding | null {
  if (!existsSync(join(home.directory, 'contacts', contactId))) return null;
  try {
    new SessionLock(home.contactDirectory(contactId)).release();
    return null;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return failed(
      ExitCode.usage,
      'another p2p has a conversation with this peer open, which meeting the peer from here would end',
      'Quit it first and run the doctor again; or type /path there, which tells how you are connected.',
    );
  }
}

function invite(name: string, host: string, port: number, own: Identity): Invitation {
  return {
    name,
    command: `p2p doctor ${host} ${port} mykeypair.pem public.pem`,
    explanation: `there, mykeypair.pem is one's own key pair and public.pem your public key, ${shortId(own.id)}; where you are a contact: p2p doctor NAME`,
  };
}
