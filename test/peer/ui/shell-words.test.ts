import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoteWord, splitWords } from '../../../src/peer/ui/shell-words.js';

function values(line: string): string[] {
  return splitWords(line, '/home/ann').map((word) => word.value);
}

test.each([
  ['a b', ['a', 'b']],
  ['  a   b  ', ['a', 'b']],
  ["'a b' c", ['a b', 'c']],
  ['"a \\" b"', ['a " b']],
  ['a\\ b', ['a b']],
  ["it\\'s", ["it's"]],
  ["'back\\slash'", ['back\\slash']],
  ['~/x ~', ['/home/ann/x', '/home/ann']],
  ["'~/x' \\~/x a~ ~bob", ['~/x', '~/x', 'a~', '~bob']],
  ["'open quote", ['open quote']],
  ['""', ['']],
  ['', []],
])('splits %s', (line, words) => {
  expect(values(line)).toEqual(words);
});

test('tells where each word stands', () => {
  expect(splitWords("a 'b c", '/h')).toEqual([
    { value: 'a', start: 0, end: 1 },
    { value: 'b c', start: 2, end: 6, openQuote: "'" },
  ]);
});

test('gives back every path that was quoted', () => {
  const path = fc.string({ unit: 'grapheme', minLength: 1 });
  fc.assert(
    fc.property(path, fc.constantFrom(undefined, '"' as const, "'" as const), (name, quote) => {
      expect(values(quoteWord(name, quote))).toEqual([name]);
    }),
  );
});
