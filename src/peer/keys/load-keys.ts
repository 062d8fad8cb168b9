import { ExitCode, UserError } from '../../protocol/errors.js';
import {
  hasPrivateBlock,
  type Identity,
  MAKE_KEYS,
  PassphraseNeededError,
  type PublicIdentity,
  parsePrivatePem,
  parsePublicPem,
  UnusableKeyError,
  WrongPassphraseError,
} from '../../protocol/identity.js';
import { quoteForShell } from '../../protocol/shell-command.js';
import { type KeyFile, OWN_KEYS, PASSPHRASE_FILE, readKeyFile } from './key-file.js';

/** Where the passphrase of an encrypted key may come from; the first that is there is used. Never from argv. */
export interface PassphraseSources {
  /** Path of a file whose first line it is. */
  file?: string | undefined;
  /** TURBO_BEEP_PASSPHRASE. */
  environment?: string | undefined;
  /** Asks the person, without echo; null where there is no terminal. */
  prompt: ((question: string) => Promise<string>) | null;
}

export interface KeyOptions {
  passphrases: PassphraseSources;
  warn: (text: string) => void;
}

export const PEER_KEY = 'the peer key';

const PROMPTS = 3;
/** Whatever is wrong with the peer's key, a new one of one's own does not help. */
const ASK_PEER = 'Ask the other person for the public.pem that keygen made there.';

/** Our own key pair from its file, asking for its passphrase if need be. @throws UserError */
export async function loadOwnKeys(path: string, options: KeyOptions): Promise<Identity> {
  const file = readKeyFile(path, OWN_KEYS);
  warnIfOthersMayRead(path, file, options.warn);
  return explained(path, OWN_KEYS, () => openPrivate(path, file.text, options.passphrases));
}

/**
 * Who our own key pair is, without opening it if it is encrypted, no passphrase is at hand, and its public block tells.
 * @throws UserError
 */
export async function identifyOwnKeys(path: string, options: KeyOptions): Promise<PublicIdentity> {
  const file = readKeyFile(path, OWN_KEYS);
  warnIfOthersMayRead(path, file, options.warn);
  const { file: passphraseFile, environment } = options.passphrases;
  const isClosed = hasPublicBlock(file.text) && passphraseFile === undefined && environment === undefined;
  return explained(path, OWN_KEYS, async () => {
    const prompt = isClosed ? null : options.passphrases.prompt;
    try {
      return await openPrivate(path, file.text, { ...options.passphrases, prompt });
    } catch (error) {
      if (isClosed && error instanceof PassphraseNeededError) return parsePublicPem(file.text);
      throw error;
    }
  });
}

/** The other person's public key, and the file that it came from. */
export interface PeerKey extends PublicIdentity {
  path: string;
  /** The file holds a private key too. */
  besidePrivate: boolean;
}

/** For `checkPeerKey` once we know our own. @throws UserError */
export async function loadPeerKey(path: string): Promise<PeerKey> {
  const { text } = readKeyFile(path, PEER_KEY);
  const identity = await explained(path, PEER_KEY, async () => parsePublicPem(text), ASK_PEER);
  return { ...identity, path, besidePrivate: hasPrivateBlock(text) };
}

/** The id of whatever key is in a file, opening the private key only if there is no public one. @throws UserError */
export async function loadAnyKey(path: string, what: string, passphrases: PassphraseSources): Promise<PublicIdentity> {
  const { text } = readKeyFile(path, what);
  return explained(path, what, async () => {
    if (hasPrivateBlock(text) && !hasPublicBlock(text)) return openPrivate(path, text, passphrases);
    return parsePublicPem(text);
  });
}

/**
 * Files are mixed up easily. That the other person's private key is here does not keep anybody from talking to them,
 * but they should know. @throws UserError if somebody is about to talk to themselves
 */
export function checkPeerKey(own: Pick<PublicIdentity, 'id'>, peer: PeerKey, warn: (text: string) => void): void {
  if (own.id === peer.id) {
    throw new UserError(
      ExitCode.usage,
      "the key pair and the peer's key are the same key",
      'Name your own mykeypair.pem, and the public.pem that the other person gave you.',
    );
  }
  if (!peer.besidePrivate) return;
  warn(
    `${peer.path} holds a private key too, with which anybody can pass for its owner; ask them for public.pem alone, and to change that key: p2p key rotate`,
  );
}

function hasPublicBlock(text: string): boolean {
  return /-----BEGIN (RSA )?PUBLIC KEY-----/.test(text);
}

/** The first line of a file. @throws UserError */
export function readPassphraseFile(path: string): string {
  const { text } = readKeyFile(path, PASSPHRASE_FILE);
  // Some editors begin a file with a mark that nobody types.
  const passphrase = text.replace(/^\uFEFF/, '').split(/\r?\n/, 1)[0] ?? '';
  if (passphrase !== '') return passphrase;
  throw new UserError(ExitCode.usage, `the passphrase file ${path} has no first line`, 'Write the passphrase there.');
}

async function openPrivate(path: string, text: string, passphrases: PassphraseSources): Promise<Identity> {
  const given = passphrases.file === undefined ? passphrases.environment : readPassphraseFile(passphrases.file);
  try {
    return parsePrivatePem(text, given);
  } catch (error) {
    if (!(error instanceof PassphraseNeededError) || passphrases.prompt === null) throw error;
    return askAndOpen(path, text, passphrases.prompt);
  }
}

async function askAndOpen(path: string, text: string, prompt: (question: string) => Promise<string>) {
  const question = `Passphrase of ${path}: `;
  for (let tries = 1; ; tries++) {
    try {
      return parsePrivatePem(text, await prompt(tries === 1 ? question : `That one does not open it. ${question}`));
    } catch (error) {
      if (!(error instanceof WrongPassphraseError) || tries === PROMPTS) throw error;
    }
  }
}

async function explained<T>(path: string, what: string, read: () => Promise<T>, instead = MAKE_KEYS): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof UnusableKeyError)) throw error;
    const hint = error.hint === MAKE_KEYS ? instead : error.hint;
    throw new UserError(ExitCode.usage, `${what} ${path} cannot be used: ${error.message}`, hint, { cause: error });
  }
}

function warnIfOthersMayRead(path: string, { text, stats }: KeyFile, warn: (text: string) => void): void {
  if (process.platform === 'win32' || !stats.isFile() || (stats.mode & 0o077) === 0 || !hasPrivateBlock(text)) return;
  const mode = (stats.mode & 0o777).toString(8);
  warn(
    `others on this machine may read or change the private key ${path} (mode ${mode}); run: chmod 600 ${quoteForShell(path)}`,
  );
}
