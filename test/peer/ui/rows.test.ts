import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutRow, rowWidth, span, wrapRow } from '../../../src/peer/ui/rows.js';
import { rowText } from '../../support/rows.js';

function wrap(text: string, width: number, hang = 0): string[] {
  return wrapRow([span(text)], width, hang).map(rowText);
}

describe('wrapRow', () => {
  test('leaves alone what fits exactly', () => {
    expect(wrap('twelve chars', 12)).toEqual(['twelve chars']);
  });

  test('breaks between words and drops the space there', () => {
    expect(wrap('one two three', 8)).toEqual(['one two', 'three']);
  });

  test('breaks a word that is longer than a row', () => {
    expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
  });

  test('keeps wide characters whole at the margin', () => {
    expect(wrap('你好世界', 5)).toEqual(['你好', '世界']);
  });

  test('sets in what follows the first row', () => {
    expect(wrap('one two three', 8, 2)).toEqual(['one two', '  three']);
  });

  test('sets in less where a deep indent would leave no room', () => {
    expect(wrap('one two three', 8, 6)).toEqual(['one two', '  three']);
  });

  test('keeps the tone of every piece', () => {
    expect(wrapRow([span('red ', 'bad'), span('plain')], 4)).toEqual([
      [span('red', 'bad')],
      [span('plai')],
      [span('n')],
    ]);
  });

  test('loses nothing but spaces, and stays within the width', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.integer({ min: 2, max: 30 }), (text, width) => {
        const rows = wrap(text.replaceAll('\n', ' '), width);
        for (const row of rows) expect(rowWidth([span(row)])).toBeLessThanOrEqual(width);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ]{0,60}$/), fc.integer({ min: 2, max: 30 }), (text, width) => {
        expect(wrap(text, width).join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });
});

test('cutRow keeps what fits and no half of a wide character', () => {
  expect(rowText(cutRow([span('ab'), span('你好', 'dim')], 5))).toBe('ab你');
});
