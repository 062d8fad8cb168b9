import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { MAX_PBE_ROUNDS, RSA_MAX_BITS, RSA_MIN_BITS, RSA_MIN_EXPONENT } from './constants.js';
import { errorCode } from './errors.js';
import { pbeRounds } from './pbe-rounds.js';
import { derOf, holdsWholeDer, type PemBlock, pemBlocks, TruncatedPemError } from './pem.js';

/** Who somebody is: the RSA public key, and the id that everything else calls it by. */
export interface PublicIdentity {
  /** SHA-256 of `spki`, 64 lower-case hex digits. */
  id: string;
  /** Canonical SubjectPublicKeyInfo, DER: one key has one encoding, and so one id. */
  spki: Buffer;
  key: KeyObject;
}

export interface Identity extends PublicIdentity {
  privateKey: KeyObject;
}

/** A key, or the text of a key file, that this program will not work with. `hint` says what to do about it. */
export class UnusableKeyError extends Error {
  override readonly name: string = 'UnusableKeyError';
  readonly hint: string;
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

export class PassphraseNeededError extends UnusableKeyError {
  override readonly name = 'PassphraseNeededError';
}

export class WrongPassphraseError extends UnusableKeyError {
  override readonly name = 'WrongPassphraseError';
}

const PRIVATE_LABELS = new Set(['RSA PRIVATE KEY', 'PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']);
const PUBLIC_LABELS = new Set(['RSA PUBLIC KEY', 'PUBLIC KEY']);
export const MAKE_KEYS = 'Make a key pair with: p2p keygen DIR';
const COPY_AGAIN = 'Copy the file again from where it came; it may have been damaged on the way.';
const KEY_CHECK = Buffer.from('turbo-beep/1 key check');

/**
 * Checks a public key from wherever it came (a file, a TLS certificate) and gives it its id. rsaEncryption only, of
 * 2048 to 8192 bits: longer ones would let a stranger make us compute for seconds.
 * @throws UnusableKeyError
 */
export function publicIdentity(key: KeyObject): PublicIdentity {
  if (key.asymmetricKeyType !== 'rsa') {
    const found = key.asymmetricKeyType ?? 'a secret key';
    throw new UnusableKeyError(`the key is not a plain RSA key (it is ${found})`, MAKE_KEYS);
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_MIN_BITS) {
    throw new UnusableKeyError(`the RSA key has ${modulusLength} bits; at least ${RSA_MIN_BITS} are needed`, MAKE_KEYS);
  }
  if (modulusLength > RSA_MAX_BITS) {
    throw new UnusableKeyError(`the RSA key has ${modulusLength} bits; at most ${RSA_MAX_BITS} are allowed`, MAKE_KEYS);
  }
  // With an exponent of 1 every forged PSS signature verifies; other small or even ones are unsafe or no RSA at all.
  if (publicExponent < RSA_MIN_EXPONENT || publicExponent % 2n === 0n) {
    throw new UnusableKeyError(`the RSA key has the unsafe public exponent ${publicExponent}`, MAKE_KEYS);
  }
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return { id: peerIdFromSpki(spki), spki, key: publicKey };
}

/** @throws UnusableKeyError */
export function ownIdentity(privateKey: KeyObject): Identity {
  return { ...publicIdentity(privateKey), privateKey };
}

/**
 * Reads the one public key in the text of a PEM file, PKCS#1 or SPKI. In a file that holds a private block too, only
 * the public block counts.
 * @throws UnusableKeyError
 */
export function parsePublicPem(text: string): PublicIdentity {
  const blocks = readBlocks(text);
  const found = blocks.filter((block) => PUBLIC_LABELS.has(block.label));
  const [first, ...others] = found;
  if (first === undefined) throw noPublicKey(blocks);
  const identity = publicFromBlock(first);
  if (others.some((other) => publicFromBlock(other).id !== identity.id)) {
    throw new UnusableKeyError('the file holds several public keys', 'Keep one public key in each file.');
  }
  return identity;
}

/**
 * Reads the one private key in the text of a PEM file: PKCS#1 or PKCS#8, plain or encrypted. A public block beside it
 * must belong to it.
 * @throws PassphraseNeededError, WrongPassphraseError, UnusableKeyError
 */
export function parsePrivatePem(text: string, passphrase?: string): Identity {
  const blocks = readBlocks(text);
  const [block, ...others] = blocks.filter((each) => PRIVATE_LABELS.has(each.label));
  if (block === undefined) throw noPrivateKey(blocks);
  if (others.length > 0) {
    throw new UnusableKeyError('the file holds several private keys', 'Keep one key pair in each file.');
  }
  const identity = ownIdentity(privateKeyFromBlock(block, passphrase));
  checkPrivateKey(identity);
  for (const beside of blocks.filter((each) => PUBLIC_LABELS.has(each.label))) {
    if (publicFromBlock(beside).id !== identity.id) {
      throw new UnusableKeyError(
        'the public key in the file does not belong to its private key',
        'Remove the public block; the private key alone is enough.',
      );
    }
  }
  return identity;
}

/** Whether the text holds a private key of any kind, usable or not: such a file is never to be handed on. */
export function hasPrivateBlock(text: string): boolean {
  return /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text);
}

/** `der` is canonical SPKI, as publicIdentity() makes it. */
export function peerIdFromSpki(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}

export function shortId(id: string): string {
  return id.slice(0, 16);
}

function readBlocks(text: string): PemBlock[] {
  if (text.trim() === '') throw new UnusableKeyError('the file is empty', MAKE_KEYS);
  try {
    return pemBlocks(text);
  } catch (error) {
    if (!(error instanceof TruncatedPemError)) throw error;
    throw new UnusableKeyError('the key is truncated: its end is missing', COPY_AGAIN, { cause: error });
  }
}

function publicFromBlock(block: PemBlock): PublicIdentity {
  return publicIdentity(decode(() => createPublicKey(block.pem)));
}

function privateKeyFromBlock(block: PemBlock, passphrase: string | undefined): KeyObject {
  if (!block.encrypted) return decode(() => createPrivateKey(block.pem));
  if (block.label === 'ENCRYPTED PRIVATE KEY') checkEncryption(block);
  if (passphrase === undefined) {
    throw new PassphraseNeededError(
      'the private key is encrypted, and no passphrase was given',
      'Run on a terminal to be asked for it, or set TURBO_BEEP_PASSPHRASE.',
    );
  }
  try {
    return createPrivateKey({ key: block.pem, passphrase });
  } catch (error) {
    if (/UNSUPPORTED_(ENCRYPTION|CIPHER)/.test(errorCode(error) ?? '')) {
      const hint = 'Convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW';
      throw new UnusableKeyError('the private key is encrypted with a cipher unknown here', hint, { cause: error });
    }
    // One message: decrypting with a wrong passphrase sometimes yields a plausible padding, and then mere rubbish.
    throw new WrongPassphraseError(
      'the passphrase does not open the private key',
      'Try again; if you are sure of the passphrase, the file is damaged.',
      { cause: error },
    );
  }
}

/** Before a passphrase is hashed: OpenSSL does it as often as the file says, for hours if need be. */
function checkEncryption(block: PemBlock): void {
  const rounds = holdsWholeDer(block) ? pbeRounds(derOf(block)) : null;
  if (rounds === null) throw damaged();
  if (rounds <= MAX_PBE_ROUNDS) return;
  throw new UnusableKeyError(
    `the private key has its passphrase hashed ${rounds} times; at most ${MAX_PBE_ROUNDS} are done here`,
    'Convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in OLD -out NEW',
  );
}

function decode(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (error) {
    throw damaged(error);
  }
}

/** A damaged private key still parses, and its signatures would then be refused everywhere without a reason given. */
function checkPrivateKey(identity: Identity): void {
  let holds = false;
  try {
    holds = verify('sha256', KEY_CHECK, identity.key, sign('sha256', KEY_CHECK, identity.privateKey));
  } catch (error) {
    throw damaged(error);
  }
  if (!holds) throw damaged();
}

function damaged(cause?: unknown): UnusableKeyError {
  return new UnusableKeyError('the key is damaged: it cannot be decoded', COPY_AGAIN, { cause });
}

function noPublicKey(blocks: PemBlock[]): UnusableKeyError {
  if (blocks.some((block) => block.label.endsWith('PRIVATE KEY'))) {
    return new UnusableKeyError(
      'the file holds a private key and no public one',
      'Use public.pem, which lies beside it; nobody else should ever see a private key.',
    );
  }
  if (blocks.some((block) => block.label.endsWith('CERTIFICATE'))) {
    return new UnusableKeyError(
      'the file holds a certificate, not a public key',
      'Extract its key with: openssl x509 -pubkey -noout -in FILE',
    );
  }
  return new UnusableKeyError('the file holds no public key in PEM form', 'Ask for the public.pem that keygen made.');
}

function noPrivateKey(blocks: PemBlock[]): UnusableKeyError {
  const labels = blocks.map((block) => block.label);
  if (labels.includes('OPENSSH PRIVATE KEY')) {
    const hint = 'Convert an RSA key with: ssh-keygen -p -m PKCS8 -f FILE (on a copy: it rewrites the file)';
    return new UnusableKeyError("the private key is in OpenSSH's own format", hint);
  }
  const other = labels.find((label) => label.endsWith('PRIVATE KEY'));
  if (other !== undefined) {
    return new UnusableKeyError(`the private key is not an RSA key (it is "${other}")`, MAKE_KEYS);
  }
  if (labels.some((label) => PUBLIC_LABELS.has(label))) {
    return new UnusableKeyError(
      'the file holds a public key only, and the private key is needed here',
      'Use the mykeypair.pem that keygen made.',
    );
  }
  return new UnusableKeyError('the file holds no private key in PEM form', MAKE_KEYS);
}
