import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePrivatePem, UnusableKeyError } from '../../src/protocol/identity.js';
import { pbeRounds } from '../../src/protocol/pbe-rounds.js';
import { newRsaKey } from '../support/keys.js';
import { processorTime } from '../support/own-time.js';

const passphrase = 'open sesame';
const der = newRsaKey().export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase });
/** Node's own, as an INTEGER. */
const ROUNDS = Buffer.from('02020800', 'hex');

function withRounds(rounds: string): Buffer {
  const changed = Buffer.from(der);
  const at = changed.indexOf(ROUNDS);
  Buffer.from(rounds, 'hex').copy(changed, at + 2);
  return changed;
}

function pem(bytes: Buffer): string {
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

describe('the rounds of an encrypted key', () => {
  test('are read from keys as OpenSSL writes them', () => {
    expect(pbeRounds(der)).toBe(2048);
    expect(pbeRounds(withRounds('7fff'))).toBe(32767);
  });

  test('are never beyond what takes some seconds: the key is refused before anything is hashed', () => {
    // Two bytes more for the number, and two less of the salt in front of it: 8 bytes, or 16 since OpenSSL 3.5.
    const at = der.indexOf(ROUNDS);
    const salt = der[at - 10] === 4 && der[at - 9] === 8 ? 8 : 16;
    const endless = Buffer.concat([
      der.subarray(0, at - salt - 1),
      Buffer.from([salt - 2]),
      der.subarray(at - salt, at - 2),
      Buffer.from('02047fffffff', 'hex'),
      der.subarray(at + 4),
    ]);
    expect(pbeRounds(endless)).toBe(0x7fffffff);
    const spentMs = processorTime();
    expect(() => parsePrivatePem(pem(endless), passphrase)).toThrow(/2147483647 times/);
    expect(() => parsePrivatePem(pem(endless), passphrase)).toThrow(UnusableKeyError);
    expect(spentMs()).toBeLessThan(1_000);
  });

  test('are a number or none, of whatever bytes', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.nat(90), fc.nat(255)).map(([place, value]) => Buffer.from(der).fill(value, place, place + 1)),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        const rounds = pbeRounds(Buffer.from(bytes));
        expect(rounds === null || rounds >= 0).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
