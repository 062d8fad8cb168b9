import { accessSync, constants, existsSync, statSync } from 'node:fs';
import os from 'node:os';
import { dirname, resolve } from 'node:path';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import { PATH_KINDS, type PathKind } from '../../protocol/messages.js';
import { describeSystemError } from '../../shared/system-error.js';
import type { Home } from '../home.js';
import type { OwnKeys } from '../keys/former-keys.js';
import { type KeyOptions, loadAnyKey } from '../keys/load-keys.js';
import { type Contact, displayName } from '../settings/contact.js';
import { standardStreams } from '../ui/output.js';
import type { ConnectionArguments } from './command-options.js';
import type { Environment } from './environment.js';
import { keyOptions, warnOfDemoKey } from './key-options.js';
import { openHome } from './open-home.js';
import { parsePaths, parseTimeout, wrong } from './values.js';
import { meetByKey, meetContact } from './whom.js';

export type Purpose =
  | { kind: 'chat' }
  /** Stdin to the peer, the peer to stdout. */
  | { kind: 'pipe' }
  /** Absolute paths, each there and readable a moment ago. */
  | { kind: 'send'; files: string[] }
  /** `into`: absolute; a folder, or nothing yet. */
  | { kind: 'receive'; into: string; yes: boolean; once: boolean };

/** Everything a session needs to know, checked. */
export interface TalkOptions {
  purpose: Purpose;
  host: string;
  port: number;
  own: OwnKeys;
  peer: PublicIdentity;
  contact: Contact;
  home: Home;
  json: boolean;
  plain: boolean;
  /** Until the first connection; null: no limit. */
  timeoutMs: number | null;
  paths: PathKind[];
  hostCandidates: boolean;
  portMapping: boolean;
  /** The mediator's id, if the person told it. */
  mediatorKey: string | null;
  terminal: Terminal;
}

export interface Terminal {
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  errorOutput: NodeJS.WriteStream;
  colour: boolean;
  term: string | undefined;
  homeDirectory: string;
  cwd: string;
}

/** The command line's words, as they stand there. */
export interface TalkArguments extends ConnectionArguments {
  target: { contact: string } | { host: string; port: string; keys: string; peer: string };
  purpose: Purpose;
  plain: boolean;
}

/**
 * Turns words into checked values: first those that need no look at the disk, last the keys, for which the person may
 * have to type a passphrase. @throws UserError
 */
export async function prepareTalk(words: TalkArguments, environment: Environment): Promise<TalkOptions> {
  const timeoutMs = words.timeout === undefined ? null : parseTimeout(words.timeout);
  const paths = words.paths === undefined ? [...PATH_KINDS] : parsePaths(words.paths);
  const purpose = checkPurpose(words.purpose);
  const keys = keyOptions(words.passphraseFile, environment);
  const mediatorKey = words.mediatorKey === undefined ? null : await readMediatorKey(words.mediatorKey, keys);
  const whom =
    'contact' in words.target
      ? await meetContact(words.target.contact, await openHome(words.home, environment), keys)
      : await meetByKey(words.target, () => openHome(words.home, environment), keys);

  if (whom.home.contacts.isBlocked(whom.peer.id)) throw blockedError(whom.contact, whom.home);
  warnOfDemoKey('your own key', whom.own.line[0].id, environment);
  warnOfDemoKey("the peer's key", whom.peer.id, environment);
  const { json, plain, hostCandidates, portMapping } = words;
  const path = { timeoutMs, paths, hostCandidates, portMapping, mediatorKey };
  return { ...whom, ...path, purpose, json, plain, terminal: terminalFor(purpose, environment) };
}

export function blockedError(contact: Pick<Contact, 'name' | 'peerId'>, home: Home): UserError {
  const name = displayName(contact);
  return wrong(`${name} is blocked`, `To talk again: ${home.command('contact', 'unblock', name)}`);
}

/** @param text an id, or a file that holds the mediator's key */
export async function readMediatorKey(text: string, { passphrases }: KeyOptions): Promise<string> {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  if (/^[0-9a-f]+$/i.test(text) && !existsSync(text)) {
    throw wrong(`not a mediator's id: "${text}"`, 'It has 64 digits; p2p-server prints it when it starts.');
  }
  return (await loadAnyKey(text, "the mediator's key", passphrases)).id;
}

function checkPurpose(purpose: Purpose): Purpose {
  if (purpose.kind === 'chat' || purpose.kind === 'pipe') return purpose;
  if (purpose.kind === 'send') return { ...purpose, files: purpose.files.map(checkReadable) };
  const into = resolve(purpose.into);
  if (existsSync(into) && !statSync(into).isDirectory()) {
    throw wrong(`${into} is not a folder`, 'Name a folder to receive into; it is made if it is missing.');
  }
  if (isForbidden(into)) throw wrong(`${into} cannot be written to: permission denied`, 'Name a folder that is yours.');
  return { ...purpose, into };
}

/** Whether nothing can be put into a folder, or into the nearest one above it if it has to be made. */
function isForbidden(folder: string): boolean {
  if (!existsSync(folder) && dirname(folder) !== folder) return isForbidden(dirname(folder));
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return errorCode(error) === 'EACCES';
  }
}

/** The walk that makes the manifest looks at everything; this spares waiting for the peer only to hear of a typing error. */
function checkReadable(file: string): string {
  try {
    // Before it is resolved: no name at all, as of a variable that is not set, would stand for this whole folder.
    accessSync(file, constants.R_OK);
    return resolve(file);
  } catch (error) {
    const missing = errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR';
    const message = missing ? `"${file}" is not there` : `"${file}" cannot be read: ${describeSystemError(error)}`;
    throw new UserError(ExitCode.usage, message, 'Check the path and its permissions; nothing was sent.', {
      cause: error,
    });
  }
}

/** A chat is shown on stdout; sending and receiving report on stderr. */
function terminalFor(purpose: Purpose, environment: Environment): Terminal {
  const streams = standardStreams();
  const shown = purpose.kind === 'chat' ? streams.output : streams.errorOutput;
  const colour = shown.isTTY === true && !environment.noColour && environment.term !== 'dumb';
  return { ...streams, colour, term: environment.term, homeDirectory: os.homedir(), cwd: process.cwd() };
}
