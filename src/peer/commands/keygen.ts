import { generateKeyPair } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { encryptPrivateKey } from '../../protocol/forge.js';
import { type Identity, ownIdentity, type PublicIdentity, parsePublicPem } from '../../protocol/identity.js';
import { quoteForShell } from '../../protocol/shell-command.js';
import { verificationWords } from '../../protocol/words.js';
import { makeFolders } from '../../shared/make-folders.js';
import { describeSystemError } from '../../shared/system-error.js';
import { readPassphraseFile } from '../keys/load-keys.js';
import { writeNewFile } from '../new-file.js';
import { print } from '../ui/output.js';
import { secretPrompt } from '../ui/prompt.js';
import type { Environment } from './environment.js';
import { wrong } from './values.js';

export interface KeygenArguments {
  directory: string;
  bits: number;
  /** Ask for a passphrase. */
  passphrase: boolean;
  passphraseFile: string | undefined;
}

export const PAIR = 'mykeypair.pem';
const PUBLIC = 'public.pem';

/** Makes a key pair in a folder. Overwrites nothing. @throws UserError */
export async function keygen(options: KeygenArguments, environment: Environment): Promise<ExitCode> {
  const directory = resolve(options.directory);
  const pair = join(directory, PAIR);
  const publicFile = join(directory, PUBLIC);
  const unfinished = unfinishedPair(pair, publicFile);
  if (unfinished) {
    writeKeys(directory, () => writeNewFile(publicFile, 0o644, [toPublicPem(unfinished)]));
    tellWhatNext('Kept', unfinished.id, pair, publicFile);
    return ExitCode.done;
  }
  for (const path of [pair, publicFile]) refuseToOverwrite(path);
  const passphrase = await choosePassphrase(options, environment);
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: options.bits });
  const identity = ownIdentity(privateKey);
  const publicPem = toPublicPem(identity);

  writeKeys(directory, () => {
    makeFolders(directory, 0o700);
    writeNewFile(pair, 0o600, [privatePem(identity, passphrase), publicPem]);
    try {
      writeNewFile(publicFile, 0o644, [publicPem]);
    } catch (error) {
      rmSync(pair, { force: true });
      throw error;
    }
  });
  tellWhatNext('Made', identity.id, pair, publicFile);
  return ExitCode.done;
}

/**
 * Of a pair that lies there without its public file, because keygen was killed between the two. The pair's file holds
 * the public key too, and in the clear.
 */
function unfinishedPair(pair: string, publicFile: string): PublicIdentity | null {
  if (!existsSync(pair) || existsSync(publicFile)) return null;
  try {
    return parsePublicPem(readFileSync(pair, 'utf8'));
  } catch {
    return null;
  }
}

function toPublicPem({ key }: PublicIdentity): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

function refuseToOverwrite(path: string): void {
  if (existsSync(path)) throw wrong(`${path} is already there, and is not overwritten`, 'Name another folder.');
}

/** undefined: the key is not encrypted. */
export async function choosePassphrase(
  options: Pick<KeygenArguments, 'passphrase' | 'passphraseFile'>,
  environment: Environment,
): Promise<string | undefined> {
  if (options.passphraseFile !== undefined) return readPassphraseFile(options.passphraseFile);
  if (!options.passphrase) return undefined;
  if (environment.passphrase) return environment.passphrase;
  const ask = secretPrompt();
  if (ask === null) {
    throw wrong('there is no terminal to ask for the passphrase on', 'Use --passphrase-file FILE instead.');
  }
  const passphrase = await ask('New passphrase: ');
  if (passphrase === '') throw wrong('the passphrase is empty', 'Leave --passphrase out for a key without one.');
  if ((await ask('The same again: ')) !== passphrase) throw wrong('the two passphrases differ', 'Try again.');
  return passphrase;
}

function privatePem({ privateKey }: Identity, passphrase: string | undefined): string {
  if (passphrase !== undefined) return encryptPrivateKey(privateKey, passphrase);
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function writeKeys(directory: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (errorCode(error) === 'EEXIST') {
      throw wrong(`there is something else in the way in ${directory}`, 'Name another folder.');
    }
    const hint = 'Check the path, its permissions and the free space, or name another folder.';
    throw new UserError(
      ExitCode.usage,
      `the keys cannot be written to ${directory}: ${describeSystemError(error)}`,
      hint,
      { cause: error },
    );
  }
}

function tellWhatNext(done: 'Made' | 'Kept', id: string, pair: string, publicFile: string): void {
  print(`${done}  ${pair}  (yours alone: never give it away)`);
  print(`${done === 'Made' ? 'and ' : 'Made'}  ${publicFile.padEnd(pair.length)}  (for the others)`);
  print('');
  print(`id     ${id}`);
  print(`words  ${verificationWords(id).join(' ')}`);
  print('');
  print(`Next: give ${PUBLIC} to your friend, and to whoever runs the mediator; take your friend's in turn. Then:`);
  print(`  p2p <host> <port> ${quoteForShell(pair)} <friend's ${PUBLIC}>`);
}
