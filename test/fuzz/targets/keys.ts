import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDataKey } from '../../../src/peer/session/journal/data-key.js';
import { UserError } from '../../../src/protocol/errors.js';
import { selfSignedCertificate } from '../../../src/protocol/forge.js';
import {
  hasPrivateBlock,
  ownIdentity,
  type PublicIdentity,
  parsePrivatePem,
  parsePublicPem,
  publicIdentity,
  UnusableKeyError,
} from '../../../src/protocol/identity.js';
import {
  declareSuccession,
  InvalidSuccessionError,
  readSuccession,
  successionPem,
  successionsInPem,
} from '../../../src/protocol/succession.js';
import { lookAtKeyFile } from '../../../src/server/key-file.js';
import { ensure, orRefused, type Target } from '../target.js';

/** Keys, from files that anyone may have written and from certificates that strangers show. */

const PASSPHRASE = 'open sesame';
/** Some of what OpenSSL does with a key takes this long by right: 8192 bits, or a passphrase that is tried. */
const CRYPTO_MS = 1_500;
const MAX_KEY_BYTES = 16 * 1024;

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicPems = () => [
  publicKey.export({ type: 'spki', format: 'pem' }),
  publicKey.export({ type: 'pkcs1', format: 'pem' }),
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }),
  generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }),
];
const privatePems = () => {
  const encrypted = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE } as const;
  const plain = [
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    privateKey.export({ type: 'pkcs1', format: 'pem' }),
    privateKey.export({ type: 'pkcs8', format: 'pem', ...encrypted }),
    privateKey.export({ type: 'pkcs1', format: 'pem', ...encrypted }),
  ];
  return [...plain, `${plain[0]}${publicPems()[0]}`];
};
const asBuffers = (texts: (string | Buffer)[]) => texts.map((text) => Buffer.from(text as string));

function ensureCanonical(identity: PublicIdentity): void {
  ensure(/^[0-9a-f]{64}$/.test(identity.id), 'an id is 64 digits');
  const again = publicIdentity(createPublicKey({ key: identity.spki, format: 'der', type: 'spki' }));
  ensure(again.id === identity.id && again.spki.equals(identity.spki), 'a key has one encoding');
}

const publicKeys: Target = {
  name: 'pem-public',
  seeds: () => asBuffers(publicPems()),
  maxBytes: MAX_KEY_BYTES,
  maxMs: CRYPTO_MS,
  run: (input) => {
    const identity = orRefused(() => parsePublicPem(input.toString('utf8')), UnusableKeyError);
    if (identity) ensureCanonical(identity);
  },
};

const privateKeys: Target = {
  name: 'pem-private',
  seeds: () => asBuffers(privatePems()),
  maxBytes: MAX_KEY_BYTES,
  maxMs: CRYPTO_MS,
  run: (input) => {
    const text = input.toString('utf8');
    for (const passphrase of [undefined, PASSPHRASE]) {
      const identity = orRefused(() => parsePrivatePem(text, passphrase), UnusableKeyError);
      if (!identity) continue;
      ensureCanonical(identity);
      ensure(hasPrivateBlock(text), 'what holds a private key is known to hold one');
    }
  },
};

/** Straight to the DER inside of PEM: most changes of its letters end at its base64. */
const derKeys: Target = {
  name: 'der',
  seeds: () => [
    publicKey.export({ type: 'spki', format: 'der' }),
    publicKey.export({ type: 'pkcs1', format: 'der' }),
    privateKey.export({ type: 'pkcs8', format: 'der' }),
    privateKey.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: PASSPHRASE }),
  ],
  maxBytes: 4096,
  maxMs: CRYPTO_MS,
  run: (input) => {
    for (const label of ['PUBLIC KEY', 'RSA PUBLIC KEY']) {
      const identity = orRefused(() => parsePublicPem(pemOf(label, input)), UnusableKeyError);
      if (identity) ensureCanonical(identity);
    }
    for (const label of ['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']) {
      orRefused(() => parsePrivatePem(pemOf(label, input), PASSPHRASE), UnusableKeyError);
    }
  },
};

function pemOf(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/(.{64})/g, '$1\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** OpenSSL takes a certificate apart before anything of ours sees it; then its key is judged. */
const certificates: Target = {
  name: 'certificates',
  seeds: () => [new X509Certificate(selfSignedCertificate(ownIdentity(privateKey))).raw],
  maxBytes: 4096,
  maxMs: CRYPTO_MS,
  run: (input) => {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(input);
    } catch {
      return;
    }
    let shown: PublicIdentity;
    try {
      shown = publicIdentity(certificate.publicKey);
    } catch (error) {
      // As tls.ts does: whatever is wrong with the key that was shown, it is not the peer's.
      ensure(error instanceof Error, 'what is thrown is an error');
      return;
    }
    ensureCanonical(shown);
  },
};

/** A file in the mediator's directory of keys. */
function directoryFiles(): Target {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-fuzz-'));
  const path = join(folder, 'key.pem');
  let count = 0;
  return {
    name: 'directory-files',
    seeds: () => asBuffers([...publicPems(), ...privatePems()]),
    maxBytes: MAX_KEY_BYTES,
    maxMs: CRYPTO_MS,
    run: async (input) => {
      writeFileSync(path, input);
      const stamp = { text: String(++count), size: input.length, changedAt: 0 };
      const first = await lookAtKeyFile(path, stamp);
      const second = await lookAtKeyFile(path, stamp, first);
      ensure((second.identity === null) === (second.problem !== null), 'it admits somebody, or says why not');
      if (second.identity) {
        ensureCanonical(second.identity);
        ensure(!hasPrivateBlock(input.toString('utf8')), 'a file with a private key admits nobody');
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A key that names its successor: in files, and from the peer. */
const successions: Target = {
  name: 'successions',
  seeds: () => {
    const successor = ownIdentity(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    const whole = declareSuccession(ownIdentity(privateKey), successor, 1_700_000_000_000);
    return [whole.statement, Buffer.from(successionPem(whole)), Buffer.from(successionPem(whole).repeat(2))];
  },
  maxBytes: MAX_KEY_BYTES,
  maxMs: CRYPTO_MS,
  run: (input) => {
    const succession = orRefused(() => readSuccession(input), InvalidSuccessionError);
    if (succession) ensure(succession.statement.equals(input), 'a succession has one encoding');
    for (const each of orRefused(() => successionsInPem(input.toString('latin1')), InvalidSuccessionError) ?? []) {
      ensure(readSuccession(each.statement).successor.id === each.successor.id, 'it is the same when it is read again');
    }
  },
};

/** The file that holds the journal's key. */
function journalKeys(): Target {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-fuzz-'));
  const path = join(folder, 'journal.key');
  return {
    name: 'journal-key',
    seeds: () => {
      const fresh = join(folder, 'fresh.key');
      loadDataKey(fresh, folder, privateKey, true);
      return [readAndRemove(fresh)];
    },
    maxBytes: 1024,
    maxMs: CRYPTO_MS,
    run: (input) => {
      writeFileSync(path, input);
      orRefused(() => loadDataKey(path, folder, privateKey, false), UserError);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function readAndRemove(path: string): Buffer {
  const bytes = readFileSync(path);
  rmSync(path);
  return bytes;
}

export const KEY_TARGETS: Target[] = [
  publicKeys,
  privateKeys,
  derKeys,
  certificates,
  directoryFiles(),
  successions,
  journalKeys(),
];
