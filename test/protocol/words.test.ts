import { wordlist } from '@scure/bip39/wordlists/english.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { verificationWords } from '../../src/protocol/words.js';

const ids = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

test('the words of two known ids', () => {
  expect(verificationWords('0'.repeat(64))).toEqual(Array(8).fill('abandon'));
  expect(verificationWords('f'.repeat(64))).toEqual(Array(8).fill('zoo'));
  expect(verificationWords(`0004${'0'.repeat(60)}`)).toEqual(['abandon', 'cactus', ...Array(6).fill('abandon')]);
});

test('eight words give back the first 88 bits of the id', () => {
  fc.assert(
    fc.property(ids, (id) => {
      const words = verificationWords(id);
      expect(words).toHaveLength(8);
      const bits = words.map((word) => wordlist.indexOf(word).toString(2).padStart(11, '0')).join('');
      expect(BigInt(`0b${bits}`)).toBe(BigInt(`0x${id.slice(0, 22)}`));
    }),
  );
});

test('a change in any of the first 22 digits changes the words', () => {
  const id = '0123456789abcdef'.repeat(4);
  for (let at = 0; at < 22; at++) {
    const changed = `${id.slice(0, at)}${id[at] === '0' ? '1' : '0'}${id.slice(at + 1)}`;
    expect(verificationWords(changed)).not.toEqual(verificationWords(id));
  }
});
