import { generateKeyPair } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ExitCode, errorCode, UserError } from '../../protocol/errors.js';
import { encryptPrivateKey } from '../../protocol/forge.js';
import { type Identity, ownIdentity } from '../../protocol/identity.js';
import { verificationWords } from '../../protocol/words.js';
import { describeSystemError } from '../files/disk-errors.js';
import { readPassphraseFile } from '../keys.js';
import { quoteForShell } from '../shell-command.js';
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
  for (const path of [pair, publicFile]) refuseToOverwrite(path);
  const passphrase = await choosePassphrase(options, environment);
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: options.bits });
  const identity = ownIdentity(privateKey);
  const publicPem = identity.key.export({ type: 'spki', format: 'pem' }).toString();

  writeKeys(directory, () => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeNewFile(pair, privatePem(identity, passphrase) + publicPem, 0o600);
    try {
      writeNewFile(publicFile, publicPem, 0o644);
    } catch (error) {
      rmSync(pair, { force: true });
      throw error;
    }
  });
  tellWhatNext(identity.id, pair, publicFile);
  return ExitCode.done;
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

/** The file is there whole or not at all, and never in the place of another. */
function writeNewFile(path: string, content: string, mode: number): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      writeSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
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

function tellWhatNext(id: string, pair: string, publicFile: string): void {
  print(`Made  ${pair}  (yours alone: never give it away)`);
  print(`and   ${publicFile.padEnd(pair.length)}  (for the others)`);
  print('');
  print(`id     ${id}`);
  print(`words  ${verificationWords(id).join(' ')}`);
  print('');
  print(`Next: give ${PUBLIC} to your friend, and to whoever runs the mediator; take your friend's in turn. Then:`);
  print(`  p2p <host> <port> ${quoteForShell(pair)} <friend's ${PUBLIC}>`);
}
