import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { PBKDF2_ITERATIONS } from '../../src/protocol/constants.js';
import { encryptPrivateKey, selfSignedCertificate } from '../../src/protocol/forge.js';
import {
  ownIdentity,
  PassphraseNeededError,
  parsePrivatePem,
  publicIdentity,
  WrongPassphraseError,
} from '../../src/protocol/identity.js';

const identity = ownIdentity(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);

test('a certificate is signed by the key it carries, and yields the same id', () => {
  const certificate = new X509Certificate(selfSignedCertificate(identity));
  expect(certificate.verify(identity.key)).toBe(true);
  expect(publicIdentity(certificate.publicKey).id).toBe(identity.id);
  expect(certificate.checkPrivateKey(identity.privateKey)).toBe(true);
});

test('a certificate names nobody', () => {
  const certificate = new X509Certificate(selfSignedCertificate(identity));
  expect(certificate.subject).toBe('CN=turbo-beep');
  expect(certificate.issuer).toBe('CN=turbo-beep');
  expect(certificate.subjectAltName).toBeUndefined();
});

test('serial numbers are random and positive', () => {
  const serials = Array.from({ length: 20 }, () => new X509Certificate(selfSignedCertificate(identity)).serialNumber);
  expect(new Set(serials).size).toBe(20);
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
});

test('dates are wide, since clocks are wrong', () => {
  const certificate = new X509Certificate(selfSignedCertificate(identity));
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.parse('2001-01-01'));
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.parse('9999-01-01'));
});

test('an encrypted key opens with its passphrase alone, whatever letters that has, and says its iterations', () => {
  const passphrase = 'schön, 秘密 🔑';
  const pem = encryptPrivateKey(identity.privateKey, passphrase);
  expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  expect(pem).not.toContain('\r');
  expect(parsePrivatePem(pem, passphrase).id).toBe(identity.id);
  expect(createPrivateKey({ key: pem, passphrase }).equals(identity.privateKey)).toBe(true);
  expect(() => parsePrivatePem(pem)).toThrow(PassphraseNeededError);
  expect(() => parsePrivatePem(pem, 'schon')).toThrow(WrongPassphraseError);

  const der = Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64').toString('hex');
  const integer = PBKDF2_ITERATIONS.toString(16).padStart(6, '0');
  expect(der).toContain(`0203${integer}`);
  expect(der).toContain('060960864801650304012a'); // aes256-CBC
  expect(der).toContain('06082a864886f70d0209'); // hmacWithSHA256
});
