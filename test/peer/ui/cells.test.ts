import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { padEnd, padStart, textWidth, toCells, truncate, truncateMiddle } from '../../../src/peer/ui/cells.js';
import { sanitiseLine } from '../../../src/protocol/sanitise.js';

describe('toCells', () => {
  test.each([
    ['family emoji', '👨‍👩‍👧‍👦', [2]],
    ['red heart', '❤️', [2]],
    ['flag', '🇩🇪', [2]],
    ['skin tone', '👍🏽', [2]],
    ['Chinese', '你好', [2, 2]],
    ['combining accent', 'e\u0301x', [1, 1]],
    ['Korean syllable from its letters', '각', [2]],
  ])('measures a %s', (_name, text, widths) => {
    expect(toCells(text).map((cell) => cell.width)).toEqual(widths);
  });

  test('gives a mark that stands alone a place of its own', () => {
    expect(toCells('\u0301')).toEqual([{ text: '\ufffd', width: 1 }]);
  });

  test('cuts a tower of combining marks', () => {
    const [cell] = toCells(`a${'\u0301'.repeat(500)}`);
    expect(cell?.text.length).toBe(16);
  });

  test('takes apart what is long as it does what is short', () => {
    const family = '👨‍👩‍👧‍👦';
    for (const unit of [family, '🇩🇪', 'e\u0301', '你', '각', `a${family}`]) {
      const short = toCells(unit);
      const expected = Array.from({ length: 999 }, () => short).flat();
      expect(toCells(unit.repeat(999))).toEqual(expected);
    }
  });

  test('takes time with the length of a text, not with its square', () => {
    expect(toCells('é'.repeat(400_000)).length).toBe(400_000);
  });

  test('makes cells of one or two columns of whatever a message holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const cell of toCells(sanitiseLine(text))) expect([1, 2]).toContain(cell.width);
      }),
    );
  });
});

describe('truncate', () => {
  test('leaves alone what fits', () => {
    expect(truncate('photo.png', 9)).toBe('photo.png');
    expect(truncateMiddle('photo.png', 9)).toBe('photo.png');
  });

  test('says with an ellipsis that something is missing', () => {
    expect(truncate('photo.png', 6)).toBe('photo…');
    expect(truncateMiddle('holiday.jpeg', 9)).toBe('holi…jpeg');
  });

  test('never cuts a wide character in two, and never exceeds its columns', () => {
    expect(truncate('你好世界', 4)).toBe('你…');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, width) => {
        expect(textWidth(truncate(text, width))).toBeLessThanOrEqual(width);
        expect(textWidth(truncateMiddle(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

test('padding counts columns, not characters', () => {
  expect(padEnd('你', 4)).toBe('你  ');
  expect(padStart('❤️', 4)).toBe('  ❤️');
});
