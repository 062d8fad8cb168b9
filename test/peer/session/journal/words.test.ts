import { describe, expect, it } from 'vitest';
import { wordQuery, wordsOf } from '../../../../src/peer/session/journal/words.js';

describe('words', () => {
  it.each([
    ['Hello, World!', ['hello', 'world']],
    ["don't", ['don', 't']],
    ['你好world', ['你', '好', 'world']],
    ['Ärger & Straße', ['arger', 'straße']],
    ['v2.0', ['v2', '0']],
    ['🎉🎉', ['🎉', '🎉']],
    ['--- \n\t', []],
    ['', []],
  ])('of %j are %j', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });
});

describe('a query', () => {
  it('is a phrase for each part between spaces, the last word of each a beginning', () => {
    expect(wordQuery('你好  ann@example')).toBe('"你 好"* "ann example"*');
  });

  it('is null where nothing typed is a word', () => {
    expect(wordQuery(' "*" ')).toBeNull();
  });
});
