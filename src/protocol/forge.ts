import { type KeyObject, randomBytes, sign } from 'node:crypto';
import forge from 'node-forge';
import { PBKDF2_ITERATIONS } from './constants.js';
import type { Identity } from './identity.js';

/**
 * The one file that knows node-forge. It only creates: forge's parsers and verifiers, where most of its weaknesses
 * were, never see anything that came from outside.
 */

/**
 * The certificate that TLS wants around the bare key; both sides look at its key alone. It names nobody, and its dates
 * are wide, for clocks are wrong more often than keys.
 * @returns PEM
 */
export function selfSignedCertificate(identity: Identity): string {
  const certificate = forge.pki.createCertificate();
  const { n, e } = identity.key.export({ format: 'jwk' });
  certificate.publicKey = forge.pki.setRsaPublicKey(bigInteger(n), bigInteger(e));
  certificate.serialNumber = randomSerial();
  certificate.validity.notBefore = new Date('2000-01-01T00:00:00Z');
  certificate.validity.notAfter = new Date('9999-12-31T23:59:59Z');
  const name = [{ name: 'commonName', value: 'turbo-beep' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);

  // forge fills in the fields, node:crypto signs: 5 ms instead of 76.
  const signer = {
    sign: () => {
      const tbs = Buffer.from(forge.asn1.toDer(certificate.tbsCertificate).getBytes(), 'binary');
      return sign('sha256', tbs, identity.privateKey).toString('binary');
    },
  };
  certificate.sign(signer as unknown as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
}

/**
 * PKCS#8 under a passphrase: PBES2 with AES-256 and PBKDF2-SHA-256. Node writes such files too, but with 2,048
 * iterations, which a stolen file would not withstand for long. Takes seconds.
 * @returns PEM
 */
export function encryptPrivateKey(privateKey: KeyObject, passphrase: string): string {
  const der = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('binary');
  const utf8 = Buffer.from(passphrase, 'utf8').toString('binary');
  const encrypted = forge.pki.encryptPrivateKeyInfo(forge.asn1.fromDer(der), utf8, {
    algorithm: 'aes256',
    count: PBKDF2_ITERATIONS,
    saltSize: 16,
    prfAlgorithm: 'sha256',
  });
  return forge.pki.encryptedPrivateKeyToPem(encrypted).replaceAll('\r\n', '\n');
}

function bigInteger(base64url = ''): forge.jsbn.BigInteger {
  return new forge.jsbn.BigInteger(Buffer.from(base64url, 'base64url').toString('hex'), 16);
}

/** 16 bytes, positive and not zero, in the shortest form: OpenSSL refuses others. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
