import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  declareSuccession,
  descentOf,
  InvalidSuccessionError,
  readSuccession,
  type Succession,
  successionPem,
  successionsInPem,
} from '../../src/protocol/succession.js';
import { lengthPrefixed, splitLengthPrefixed } from '../../src/protocol/transcripts.js';
import { newIdentity, publicPem } from '../support/keys.js';

const [first, second, third, stranger] = [newIdentity(), newIdentity(), newIdentity(), newIdentity()];
const made = declareSuccession(first, second, 1_700_000_000_000);

/** The statement with one of its six parts exchanged. */
function withPart(at: number, part: Buffer): Buffer {
  return lengthPrefixed((splitLengthPrefixed(made.statement) ?? []).map((each, index) => (index === at ? part : each)));
}

function partOf({ statement }: Succession, at: number): Buffer {
  return splitLengthPrefixed(statement)?.[at] ?? Buffer.alloc(0);
}

describe('a succession', () => {
  test('says which key follows which, and when', () => {
    const read = readSuccession(made.statement);
    expect(read).toMatchObject({ former: { id: first.id }, successor: { id: second.id }, atMs: 1_700_000_000_000 });
    expect(read.statement.equals(made.statement)).toBe(true);
  });

  const other = declareSuccession(first, third, 5);
  const longer = Buffer.concat([made.statement, Buffer.alloc(1)]);
  test.each<[string, Buffer]>([
    ['with the new key’s signature for the old one’s', withPart(4, partOf(made, 5))],
    ['with the old key’s signature for the new one’s', withPart(5, partOf(made, 4))],
    ['of another successor under the signatures of this one', withPart(2, third.spki)],
    ['of another former key', withPart(1, stranger.spki)],
    ['at another time', withPart(3, Buffer.alloc(8, 1))],
    ['with a signature from another succession of the same key', withPart(4, partOf(other, 4))],
    ['with another label', withPart(0, Buffer.from('turbo-beep/1 mediator'))],
    ['of a key by itself', declareSuccession(first, first, 1).statement],
    ['with something behind it', longer],
    ['of nothing', Buffer.alloc(0)],
    ['with a key that is none', withPart(2, Buffer.from('key'))],
    ['that is too long', lengthPrefixed([Buffer.alloc(9_000), ...Array(5).fill(Buffer.alloc(1))])],
  ])('%s is refused', (_, statement) => {
    expect(() => readSuccession(statement)).toThrow(InvalidSuccessionError);
  });

  test('with any one bit changed is refused', () => {
    const flip = (bit: number) => {
      const changed = Buffer.from(made.statement);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => readSuccession(changed)).toThrow(InvalidSuccessionError);
    };
    fc.assert(fc.property(fc.nat(made.statement.length * 8 - 1), flip), { numRuns: 200 });
  });

  test('of random bytes is refused', () => {
    const refused = (bytes: Uint8Array) => {
      expect(() => readSuccession(Buffer.from(bytes))).toThrow(InvalidSuccessionError);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refused), { numRuns: 300 });
  });

  test('stands in a file beside keys, and one that was cut short or altered is not overlooked there', () => {
    const next = declareSuccession(second, third, 7);
    const text = `note\n${publicPem(third.privateKey)}${successionPem(made)}\r\n${successionPem(next)}`;
    expect(successionsInPem(text).map(({ successor }) => successor.id)).toEqual([second.id, third.id]);
    expect(successionsInPem(publicPem(third.privateKey))).toEqual([]);
    expect(() => successionsInPem(text.slice(0, -20))).toThrow(InvalidSuccessionError);
    const altered = text.replace('-----BEGIN TURBO BEEP SUCCESSION-----\n', '$&AAAA');
    expect(() => successionsInPem(altered)).toThrow(InvalidSuccessionError);
  });
});

describe('the line of keys', () => {
  const next = declareSuccession(second, third, 7);
  const lineFrom = (id: string, ...known: Succession[]) => {
    const descent = descentOf(id, known);
    return descent.kind === 'line' ? descent.successions.map(({ successor }) => successor.id) : descent.kind;
  };

  test('is followed to its end, in whatever order its parts are known', () => {
    expect(lineFrom(first.id, next, made)).toEqual([second.id, third.id]);
    expect(lineFrom(second.id, made, next)).toEqual([third.id]);
    expect(lineFrom(stranger.id, made, next)).toEqual([]);
  });

  test('is disputed where a key anywhere in it named two, and not where it named one twice', () => {
    expect(lineFrom(first.id, made, declareSuccession(first, stranger, 9))).toBe('disputed');
    expect(lineFrom(first.id, made, next, declareSuccession(second, stranger, 9))).toBe('disputed');
    expect(lineFrom(first.id, made, declareSuccession(first, second, 9))).toEqual([second.id]);
  });

  test('ends where it would come round', () => {
    expect(lineFrom(first.id, made, declareSuccession(second, first, 9))).toEqual([second.id]);
  });
});
