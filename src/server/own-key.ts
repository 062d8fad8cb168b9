import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { NEW_KEY_BITS } from '../protocol/constants.js';
import { ExitCode, errorCode, UserError } from '../protocol/errors.js';
import { type Identity, PassphraseNeededError, parsePrivatePem, UnusableKeyError } from '../protocol/identity.js';
import { quoteForShell } from '../protocol/shell-command.js';
import { makeFolders } from '../shared/make-folders.js';
import { describeSystemError } from '../shared/system-error.js';

export interface OwnKeyOptions {
  file: string;
  /** Of an encrypted key file. */
  passphrase?: string | undefined;
  warn: (text: string) => void;
}

/** The mediator's key pair, made on first start. Throws UserError if the file can be neither used nor made. */
export async function loadOrCreateKey(options: OwnKeyOptions): Promise<Identity> {
  return (await load(options)) ?? (await create(options));
}

async function load({ file, passphrase, warn }: OwnKeyOptions): Promise<Identity | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw unusable(`the key file ${file} cannot be read: ${describeSystemError(error)}`, error);
  }
  await warnIfOthersMayRead(file, warn);
  try {
    return parsePrivatePem(text, passphrase);
  } catch (error) {
    if (!(error instanceof UnusableKeyError)) throw error;
    // Nobody is asked here: a mediator must start without a terminal.
    const hint = error instanceof PassphraseNeededError ? 'Set TURBO_BEEP_PASSPHRASE to it.' : error.hint;
    throw new UserError(ExitCode.usage, `the key file ${file} is unusable: ${error.message}`, hint, { cause: error });
  }
}

async function create(options: OwnKeyOptions): Promise<Identity> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: NEW_KEY_BITS });
  try {
    makeFolders(dirname(options.file), 0o700);
    await writeWhole(options.file, privateKey);
  } catch (error) {
    throw unusable(`the key file ${options.file} cannot be made: ${describeSystemError(error)}`, error);
  }
  const identity = await load(options);
  if (!identity) throw unusable(`the key file ${options.file} is gone again`);
  return identity;
}

/**
 * The file is there whole or not at all, whenever this process is killed; and the first of two mediators that start at
 * once wins, for a key that changes later would alarm every peer.
 */
async function writeWhole(file: string, privateKey: KeyObject): Promise<void> {
  const temporary = join(dirname(file), `.new-key-${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, file);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function warnIfOthersMayRead(file: string, warn: (text: string) => void): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0)
    warn(`others on this machine may read the private key ${file}; protect it: chmod 600 ${quoteForShell(file)}`);
}

function unusable(message: string, cause?: unknown): UserError {
  const hint = 'Check the path and its permissions, or name another with --key FILE, or another --home DIR.';
  return new UserError(ExitCode.usage, message, hint, { cause });
}
