import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Identity, ownIdentity } from '../../src/protocol/identity.js';

/** A fresh key of the smallest size that is admitted: made in a tenth of a second. */
export function newIdentity(bits = 2048): Identity {
  return ownIdentity(newRsaKey(bits));
}

export function newRsaKey(bits = 2048, publicExponent = 65537): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: bits, publicExponent }).privateKey;
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export function publicPem(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
}

/** A public key with chosen numbers, which no honest program would generate. */
export function publicKeyOf(modulus: Buffer, exponent: number): KeyObject {
  const hex = exponent.toString(16);
  const e = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
  return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: modulus.toString('base64url'), e } });
}
