import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { ExitCode, UserError } from '../../../protocol/errors.js';
import { writePrivateFile } from './private-files.js';
import { damagedJournal } from './storage-errors.js';

/**
 * journal.key is this line, a salt, an IV, a tag and the data key, encrypted by AES-256-GCM (the line is authenticated
 * too). Wrapping a random key, and not using the private key at once, lets the private key be rotated without
 * rewriting the journal.
 */
const HEADER = Buffer.from('turbo-beep journal key 1\n');
const LABEL = 'turbo-beep/1 journal key';
const SALT_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/**
 * libsql's aes256cbc looks at the first 32 bytes of the text it is given and no further: 64 hex digits would leave 128
 * bits. Base64 brings 192 into that room.
 */
const DATA_KEY_BYTES = 24;
const SALT_END = HEADER.length + SALT_BYTES;
const IV_END = SALT_END + IV_BYTES;
const TAG_END = IV_END + TAG_BYTES;
const FILE_BYTES = TAG_END + DATA_KEY_BYTES;

/**
 * The text that encrypts the database, from the key file at `path`, which is made first if there is none.
 * `mayCreate`: false when there is a database already, which another key could not open.
 * `formerKeys`: one that opens it is used for the last time, for the file is then written anew under `privateKey`.
 * Throws a UserError if the key file is missing then, is damaged, or was made with another private key.
 */
export function loadDataKey(
  path: string,
  directory: string,
  privateKey: KeyObject,
  mayCreate: boolean,
  formerKeys: readonly KeyObject[] = [],
): string {
  if (existsSync(path)) return open(path, directory, privateKey, formerKeys).toString('base64url');
  if (!mayCreate) {
    throw new UserError(
      ExitCode.usage,
      `the journal in ${directory} has lost its key file, journal.key, and cannot be read without it`,
      'Restore journal.key from a backup, or move the folder away to begin afresh.',
    );
  }
  const dataKey = randomBytes(DATA_KEY_BYTES);
  writePrivateFile(path, wrap(dataKey, privateKey));
  return dataKey.toString('base64url');
}

function open(path: string, directory: string, privateKey: KeyObject, formerKeys: readonly KeyObject[]): Buffer {
  const file = readFileSync(path);
  if (file.length !== FILE_BYTES || !file.subarray(0, HEADER.length).equals(HEADER)) throw damagedJournal(directory);
  for (const key of [privateKey, ...formerKeys]) {
    const dataKey = unwrap(file, key);
    if (dataKey === null) continue;
    if (key !== privateKey) writePrivateFile(path, wrap(dataKey, privateKey));
    return dataKey;
  }
  throw new UserError(
    ExitCode.usage,
    `the journal in ${directory} cannot be read with this key`,
    'Use the key pair that it was begun with, or another --home; move the folder away to begin afresh.',
  );
}

function wrap(dataKey: Buffer, privateKey: KeyObject): Buffer {
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', deriveWrappingKey(privateKey, salt), iv).setAAD(HEADER);
  const wrapped = Buffer.concat([cipher.update(dataKey), cipher.final()]);
  return Buffer.concat([HEADER, salt, iv, cipher.getAuthTag(), wrapped]);
}

/** Null if it was not wrapped under this key, or was altered since. */
function unwrap(file: Buffer, privateKey: KeyObject): Buffer | null {
  const salt = file.subarray(HEADER.length, SALT_END);
  const iv = file.subarray(SALT_END, IV_END);
  const tag = file.subarray(IV_END, TAG_END);
  const decipher = createDecipheriv('aes-256-gcm', deriveWrappingKey(privateKey, salt), iv, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(HEADER).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(file.subarray(TAG_END)), decipher.final()]);
  } catch {
    return null;
  }
}

/** The same file of keys always exports to the same bytes, in whichever form of PEM it came. */
function deriveWrappingKey(privateKey: KeyObject, salt: Buffer): Buffer {
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' });
  try {
    return Buffer.from(hkdfSync('sha256', secret, salt, LABEL, 32));
  } finally {
    secret.fill(0);
  }
}
