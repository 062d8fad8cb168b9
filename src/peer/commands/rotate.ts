import { generateKeyPair } from 'node:crypto';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { encryptPrivateKey } from '../../protocol/forge.js';
import { type Identity, ownIdentity } from '../../protocol/identity.js';
import { declareSuccession } from '../../protocol/succession.js';
import { verificationWords } from '../../protocol/words.js';
import { describeSystemError } from '../../shared/system-error.js';
import type { Home } from '../home.js';
import { formerKeysFolder } from '../keys/former-keys.js';
import { OWN_KEYS, readKeyFile } from '../keys/key-file.js';
import { type KeyOptions, loadOwnKeys } from '../keys/load-keys.js';
import { isUnfinished, replaceKeyPair, writePublicFile } from '../keys/rotation.js';
import { changeStoreKey } from '../session/journal/store.js';
import { type Contact, displayName } from '../settings/contact.js';
import { print, tell } from '../ui/output.js';
import type { Environment } from './environment.js';
import { keyOptions } from './key-options.js';
import { choosePassphrase, PAIR } from './keygen.js';
import { openHome } from './open-home.js';

export interface RotateArguments {
  /** A key pair's file, or the folder that keygen made. */
  path: string;
  bits: number;
  /** Ask for another passphrase; else the new key has that of the old one, if it has one. */
  passphrase: boolean;
  passphraseFile: string | undefined;
  home: string | undefined;
}

/**
 * Makes a new key pair in the place of an old one, which stays beside it until every contact has followed. One that was
 * killed before it was done is finished instead. @throws UserError
 */
export async function rotate(options: RotateArguments, environment: Environment): Promise<ExitCode> {
  const file = keyPairFile(options.path);
  const home = await openHome(options.home, environment);
  const opening = notingPassphrase(keyOptions(options.passphraseFile, environment));
  const { text: before } = readKeyFile(file, OWN_KEYS);
  const old = await loadOwnKeys(file, opening.keys);
  const contacts = home.contacts.list().filter((contact) => isSameFile(contact.keys, file));
  if (isUnfinished(file, old)) {
    tellWhatNext(
      file,
      old.id,
      writing(() => writePublicFile(file, old)),
      contacts,
    );
    tell('This finished the rotation that was begun before. To make yet another key, run it once more.');
    return ExitCode.done;
  }
  const passphrase = await passphraseOfNew(options, environment, before, opening.typed());
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: options.bits });
  const identity = ownIdentity(privateKey);
  const succession = declareSuccession(old, identity, Date.now());
  writing(() => replaceKeyPair({ file, before, succession, pem: pairPem(identity, passphrase) }));
  const publicFile = writing(() => writePublicFile(file, identity));
  for (const contact of contacts) changeJournalKey(contact, home, identity, old);
  tellWhatNext(file, identity.id, publicFile, contacts);
  return ExitCode.done;
}

/** So that the old key is not needed for what was written. What cannot be done now is done when the journal is next opened. */
function changeJournalKey(contact: Contact, home: Home, identity: Identity, old: Identity): void {
  if (!home.hasJournal(contact.contactId)) return;
  try {
    const directory = home.contactDirectory(contact.contactId);
    changeStoreKey({ directory, privateKey: identity.privateKey, formerKeys: [old.privateKey] });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const name = displayName(contact);
    tell(
      `What you and ${name} wrote is put under the new key when you next talk; now it could not be: ${error.message}.`,
    );
  }
}

function keyPairFile(path: string): string {
  const given = resolve(path);
  return existsSync(given) && statSync(given).isDirectory() ? join(given, PAIR) : given;
}

function isSameFile(one: string, other: string): boolean {
  return one === other || (existsSync(one) && realpathSync(one) === realpathSync(other));
}

function pairPem({ privateKey, key }: Identity, passphrase: string | undefined): string {
  const publicPem = key.export({ type: 'spki', format: 'pem' });
  if (passphrase !== undefined) return `${encryptPrivateKey(privateKey, passphrase)}${publicPem}`;
  return `${privateKey.export({ type: 'pkcs8', format: 'pem' })}${publicPem}`;
}

/** A key that was protected is not to be followed by one that is not, only because nobody thought of it. */
async function passphraseOfNew(
  { passphrase, passphraseFile }: RotateArguments,
  environment: Environment,
  before: string,
  typed: string | undefined,
): Promise<string | undefined> {
  if (passphrase || passphraseFile !== undefined) return choosePassphrase({ passphrase, passphraseFile }, environment);
  return before.includes('ENCRYPTED') ? (typed ?? environment.passphrase) : undefined;
}

/** `typed`: what the person typed last, which is what opened the key. */
function notingPassphrase(keys: KeyOptions): { keys: KeyOptions; typed(): string | undefined } {
  const { prompt } = keys.passphrases;
  let typed: string | undefined;
  const ask = async (question: string) => {
    typed = (await prompt?.(question)) ?? '';
    return typed;
  };
  const passphrases = { ...keys.passphrases, prompt: prompt && ask };
  return { keys: { ...keys, passphrases }, typed: () => typed };
}

function writing<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const hint = 'Check the permissions and the free space, then run the same again: it goes on where it stopped.';
    throw new UserError(ExitCode.usage, `the keys cannot be written: ${describeSystemError(error)}`, hint, {
      cause: error,
    });
  }
}

function tellWhatNext(file: string, id: string, publicFile: string, contacts: Contact[]): void {
  print(`Made  ${file}  (yours alone: never give it away)`);
  print(`and   ${publicFile}  (for the others)`);
  print('');
  print(`id     ${id}`);
  print(`words  ${verificationWords(id).join(' ')}`);
  print('');
  print(`The old pair is kept in ${formerKeysFolder(file)} until all your contacts have followed.`);
  print(`Next: send ${publicFile} to whoever runs your mediator, unless it follows successions by itself.`);
  if (contacts.length === 0) return;
  print('Then talk to your contacts as before; each is told of the new key and asked whether to follow:');
  print(`  ${contacts.map(displayName).join(', ')}`);
}
