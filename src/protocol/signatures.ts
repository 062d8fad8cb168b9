import { constants, type KeyObject, sign, verify } from 'node:crypto';
import { PSS_SALT_BYTES } from './constants.js';

/** RSASSA-PSS with SHA-256 for hash and MGF1 (RFC 8017, section 8.1), salt of 32 bytes. */
export function signPss(privateKey: KeyObject, transcript: Buffer): Buffer {
  return sign('sha256', transcript, {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: PSS_SALT_BYTES,
  });
}

export function verifyPss(publicKey: KeyObject, transcript: Buffer, signature: Buffer): boolean {
  return verify(
    'sha256',
    transcript,
    { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: PSS_SALT_BYTES },
    signature,
  );
}
