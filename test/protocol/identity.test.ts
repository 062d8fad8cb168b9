import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hasPrivateBlock,
  ownIdentity,
  PassphraseNeededError,
  parsePrivatePem,
  parsePublicPem,
  peerIdFromSpki,
  publicIdentity,
  shortId,
  UnusableKeyError,
  WrongPassphraseError,
} from '../../src/protocol/identity.js';
import { newRsaKey, privatePem, publicKeyOf, publicPem } from '../support/keys.js';

const key = newRsaKey();
const id = ownIdentity(key).id;
const otherKey = newRsaKey();
const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString();
const pkcs1Public = createPublicKey(key).export({ type: 'pkcs1', format: 'pem' }).toString();
const passphrase = 'open sesame';
const encrypted = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
const legacy = key.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase }).toString();
const legacyTriple = key.export({ type: 'pkcs1', format: 'pem', cipher: 'des-ede3-cbc', passphrase }).toString();

function modulus(bits: number): Buffer {
  const bytes = randomBytes(bits / 8);
  bytes[0] = 0x80 | (bytes[0] ?? 0);
  bytes[bytes.length - 1] = 1;
  return bytes;
}

function without(text: string, from: number, length: number): string {
  return text.slice(0, from) + text.slice(from + length);
}

describe('a peer id', () => {
  test('is the SHA-256 of the SPKI DER in lower-case hex', () => {
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    expect(id).toBe(createHash('sha256').update(spki).digest('hex'));
    expect(peerIdFromSpki(spki)).toBe(id);
    expect(shortId(id)).toBe(id.slice(0, 16));
  });

  test('is the same in whichever form the key came', () => {
    const forms = [parsePublicPem(publicPem(key)), parsePublicPem(pkcs1Public), publicIdentity(key)];
    const own = [parsePrivatePem(pkcs1), parsePrivatePem(privatePem(key)), parsePrivatePem(encrypted, passphrase)];
    for (const each of [...forms, ...own]) expect(each.id).toBe(id);
  });

  test('is the same when the algorithm parameters were left out of the DER', () => {
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const at = spki.indexOf(Buffer.from('300d06092a864886f70d0101010500', 'hex'));
    const bare = Buffer.concat([
      Buffer.from('3082', 'hex'),
      Buffer.from([(spki.length - 6) >> 8, (spki.length - 6) & 0xff]),
      Buffer.from('300b06092a864886f70d010101', 'hex'),
      spki.subarray(at + 15),
    ]);
    expect(bare.equals(spki)).toBe(false);
    expect(publicIdentity(createPublicKey({ key: bare, format: 'der', type: 'spki' })).id).toBe(id);
  });
});

describe('a public key', () => {
  test.each([1, 2, 3, 17, 65535, 65536])('with exponent %i is refused', (exponent) => {
    expect(() => publicIdentity(publicKeyOf(modulus(2048), exponent))).toThrow(/unsafe public exponent/);
  });

  test.each([65537, 65539])('with exponent %i is accepted', (exponent) => {
    expect(publicIdentity(publicKeyOf(modulus(2048), exponent)).id).toHaveLength(64);
  });

  test.each([1024, 2040, 8200, 16384])('of %i bits is refused', (bits) => {
    expect(() => publicIdentity(publicKeyOf(modulus(bits), 65537))).toThrow(new RegExp(`has ${bits} bits`));
  });

  test.each([2048, 8192])('of %i bits is accepted', (bits) => {
    expect(publicIdentity(publicKeyOf(modulus(bits), 65537)).id).toHaveLength(64);
  });

  test.each([
    ['rsa-pss', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['ec', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['ed25519', () => generateKeyPairSync('ed25519')],
  ])('of type %s is refused by name', (type, make) => {
    const pair = (make as () => { publicKey: KeyObject; privateKey: KeyObject })();
    const message = `the key is not a plain RSA key (it is ${type})`;
    expect(() => publicIdentity(pair.publicKey)).toThrow(message);
    expect(() => ownIdentity(pair.privateKey)).toThrow(message);
    expect(() => parsePublicPem(pair.publicKey.export({ type: 'spki', format: 'pem' }).toString())).toThrow(message);
    expect(() => parsePrivatePem(privatePem(pair.privateKey))).toThrow(message);
  });
});

describe('a public key file', () => {
  test('may hold the private block before the public one, and only the public one counts', () => {
    const identity = parsePublicPem(pkcs1 + pkcs1Public);
    expect(identity.id).toBe(id);
    expect(identity.key.type).toBe('public');
    expect(parsePublicPem(encrypted + publicPem(key)).id).toBe(id);
  });

  test('may have text around its block, Windows line ends and a byte order mark', () => {
    expect(parsePublicPem(`\ufeffmy friend's key\r\n${publicPem(key).replaceAll('\n', '\r\n')}\r\nbye`).id).toBe(id);
  });

  test('may name one key twice, but not two keys', () => {
    expect(parsePublicPem(publicPem(key) + pkcs1Public).id).toBe(id);
    expect(() => parsePublicPem(publicPem(key) + publicPem(otherKey))).toThrow('several public keys');
  });

  test.each([
    ['nothing', '', 'the file is empty'],
    ['blanks', ' \n\n', 'the file is empty'],
    ['other text', 'hello', 'holds no public key'],
    ['a private key alone', pkcs1, 'a private key and no public one'],
    ['a cut key', publicPem(key).slice(0, 200), 'truncated'],
    ['a cut end line', publicPem(key).trimEnd().slice(0, -2), 'truncated'],
    ['a key with a hole', without(publicPem(key), 100, 65), 'damaged'],
    ['a certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'a certificate'],
  ])('with %s is refused', (_, text, message) => {
    expect(() => parsePublicPem(text)).toThrow(UnusableKeyError);
    expect(() => parsePublicPem(text)).toThrow(message);
  });
});

describe('a private key file', () => {
  test('of the C++ program, PKCS#1 private and public in one file, is taken as it is', () => {
    const identity = parsePrivatePem(pkcs1 + pkcs1Public);
    expect(identity.id).toBe(id);
    expect(identity.privateKey.equals(key)).toBe(true);
  });

  test('whose public block belongs to another key is refused', () => {
    expect(() => parsePrivatePem(privatePem(key) + publicPem(otherKey))).toThrow('does not belong to its private key');
  });

  test('with two private keys is refused', () => {
    expect(() => parsePrivatePem(privatePem(key) + privatePem(otherKey))).toThrow('several private keys');
  });

  test.each([
    ['PKCS#8', encrypted],
    ['legacy AES', legacy],
    ['legacy triple DES', legacyTriple],
  ])('encrypted as %s opens with its passphrase alone', (_, pem) => {
    expect(parsePrivatePem(pem, passphrase).id).toBe(id);
    expect(() => parsePrivatePem(pem)).toThrow(PassphraseNeededError);
    for (const wrong of ['', 'open', 'Open Sesame']) {
      expect(() => parsePrivatePem(pem, wrong)).toThrow(WrongPassphraseError);
    }
  });

  test('without encryption needs no passphrase and ignores one', () => {
    expect(parsePrivatePem(pkcs1, 'whatever').id).toBe(id);
  });

  test.each([
    ['nothing', '', 'the file is empty'],
    ['other text', 'hello', 'holds no private key'],
    ['a public key alone', publicPem(key), 'a public key only'],
    ['a cut key', privatePem(key).slice(0, 500), 'truncated'],
    ['a private block cut before the public one', pkcs1.slice(0, 500) + pkcs1Public, 'truncated'],
    ['a key with a hole', without(privatePem(key), 100, 65), 'damaged'],
    ['an encrypted key with a hole', without(encrypted, 400, 65), 'damaged'],
    ['1024 bits', privatePem(newRsaKey(1024)), 'has 1024 bits'],
    ['exponent 3', privatePem(newRsaKey(2048, 3)), 'unsafe public exponent 3'],
    ['an old EC block', '-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----', 'not an RSA key'],
    ['an OpenSSH block', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----', 'OpenSSH'],
  ])('with %s is refused', (_, text, message) => {
    expect(() => parsePrivatePem(text, passphrase)).toThrow(UnusableKeyError);
    expect(() => parsePrivatePem(text, passphrase)).toThrow(message);
  });

  test('whose numbers do not fit together is refused, though it can be decoded', () => {
    const jwk = key.export({ format: 'jwk' });
    const body = key.export({ type: 'pkcs1', format: 'der' });
    const at = body.indexOf(Buffer.from(jwk.n ?? '', 'base64url'));
    expect(at).toBeGreaterThan(0);
    body[at + 20] = (body[at + 20] ?? 0) ^ 0x40;
    const pem = `-----BEGIN RSA PRIVATE KEY-----\n${body.toString('base64')}\n-----END RSA PRIVATE KEY-----\n`;
    expect(() => parsePrivatePem(pem)).toThrow('damaged');
  });

  test('is recognised as such, whatever its kind', () => {
    for (const text of [pkcs1, encrypted, legacy, privatePem(key), '-----BEGIN OPENSSH PRIVATE KEY-----']) {
      expect(hasPrivateBlock(`note\n${text}`)).toBe(true);
    }
    expect(hasPrivateBlock(publicPem(key))).toBe(false);
  });
});

describe('whatever is done to a PEM text', () => {
  const texts = fc.constantFrom(
    pkcs1 + pkcs1Public,
    encrypted + publicPem(key),
    legacy,
    publicPem(key),
    privatePem(key),
  );
  const cut = fc.record({ at: fc.nat(4000), remove: fc.nat(60), insert: fc.string({ maxLength: 4 }) });
  const mutated = fc
    .tuple(texts, fc.array(cut, { minLength: 1, maxLength: 3 }))
    .map(([text, cuts]) => cuts.reduce((t, c) => t.slice(0, c.at) + c.insert + t.slice(c.at + c.remove), text));

  test('reading it yields the key or an UnusableKeyError with a hint, and nothing else', () => {
    fc.assert(
      fc.property(mutated, fc.constantFrom(undefined, passphrase, 'wrong'), (text, given) => {
        for (const read of [() => parsePublicPem(text), () => parsePrivatePem(text, given)]) {
          try {
            expect(read().id).toMatch(/^[0-9a-f]{64}$/);
          } catch (error) {
            expect(error).toBeInstanceOf(UnusableKeyError);
            expect((error as UnusableKeyError).hint).not.toBe('');
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
