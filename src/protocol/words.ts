import { wordlist } from '@scure/bip39/wordlists/english.js';

const WORDS = 8;
const BITS_PER_WORD = 11;

/**
 * The words that two people read to each other: the first 88 bits of the id, more than anyone can search for a second
 * key that has the same.
 */
export function verificationWords(id: string): string[] {
  const bits = BigInt(`0x${id.slice(0, (WORDS * BITS_PER_WORD) / 4)}`);
  return Array.from({ length: WORDS }, (_, at) => {
    const shift = BigInt((WORDS - 1 - at) * BITS_PER_WORD);
    return wordlist[Number((bits >> shift) & 0x7ffn)] ?? '';
  });
}
