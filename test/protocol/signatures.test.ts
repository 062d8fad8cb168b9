import { constants, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signPss, verifyPss } from '../../src/protocol/signatures.js';
import { newIdentity } from '../support/keys.js';

const identity = newIdentity();
const other = newIdentity();
const transcript = Buffer.from('what is signed');

function signedWith(saltLength: number, padding = constants.RSA_PKCS1_PSS_PADDING, hash = 'sha256'): Buffer {
  return sign(hash, transcript, { key: identity.privateKey, padding, saltLength });
}

describe('a signature', () => {
  test('holds for its key and transcript alone', () => {
    const signature = signPss(identity.privateKey, transcript);
    expect(verifyPss(identity.key, transcript, signature)).toBe(true);
    expect(verifyPss(other.key, transcript, signature)).toBe(false);
    expect(verifyPss(identity.key, Buffer.from('what is not'), signature)).toBe(false);
  });

  test('is different each time', () => {
    expect(signPss(identity.privateKey, transcript).equals(signPss(identity.privateKey, transcript))).toBe(false);
  });

  test('with a salt of 32 bytes holds, and with any other does not', () => {
    expect(verifyPss(identity.key, transcript, signedWith(32))).toBe(true);
    for (const salt of [0, 1, 20, 31, 33, 64])
      expect(verifyPss(identity.key, transcript, signedWith(salt))).toBe(false);
  });

  test('with another hash or padding does not hold', () => {
    expect(verifyPss(identity.key, transcript, signedWith(32, constants.RSA_PKCS1_PSS_PADDING, 'sha384'))).toBe(false);
    const pkcs1 = sign('sha256', transcript, { key: identity.privateKey, padding: constants.RSA_PKCS1_PADDING });
    expect(verifyPss(identity.key, transcript, pkcs1)).toBe(false);
  });

  test('with one bit changed, cut short, lengthened or empty does not hold', () => {
    const signature = signPss(identity.privateKey, transcript);
    for (const at of [0, 100, signature.length - 1]) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(verifyPss(identity.key, transcript, changed)).toBe(false);
    }
    const lengths = [signature.subarray(1), signature.subarray(0, -1), Buffer.concat([signature, Buffer.of(0)])];
    for (const changed of [...lengths, Buffer.alloc(0), Buffer.alloc(1024)])
      expect(verifyPss(identity.key, transcript, changed)).toBe(false);
  });
});
