import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeInJson, sanitise, sanitiseLine } from '../../src/protocol/sanitise.js';

const FFFD = '\ufffd';
/** Written differently from the code it tests: by Unicode property. Cc are the controls, Cs the lone surrogates. */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;
const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('\x1b', '[', ']', '\x9b', '\r', '\n', '\t', '\u202e', '\ud83d', '\ude00', 'm', ';', '0'),
  }),
);

describe('what a terminal obeys is replaced:', () => {
  test('every C0 and C1 control but tab, newline and carriage return', () => {
    const controls = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, at) => 0x7f + at)];
    for (const control of controls) {
      const character = String.fromCharCode(control);
      const expected = { '\t': '    ', '\n': '\n', '\r': '\n' }[character] ?? FFFD;
      expect(sanitise(`a${character}b`), `U+${control.toString(16)}`).toBe(`a${expected}b`);
    }
  });

  test.each([
    ['a colour', '\x1b[31mred\x1b[0m', `${FFFD}[31mred${FFFD}[0m`],
    ['a title', '\x1b]0;title\x07', `${FFFD}]0;title${FFFD}`],
    ['a clipboard write', '\x1b]52;c;ZXZpbA==\x1b\\', `${FFFD}]52;c;ZXZpbA==${FFFD}\\`],
    ['an 8-bit CSI', '\x9b2J', `${FFFD}2J`],
    ['a device control string', '\x1bPq\x1b\\', `${FFFD}Pq${FFFD}\\`],
    ['a backspace over what was written', 'safe\b\b\b\bevil', `safe${FFFD.repeat(4)}evil`],
  ])('%s', (_, hostile, safe) => {
    expect(sanitise(hostile)).toBe(safe);
  });

  test('a carriage return becomes a newline: it can overwrite nothing', () => {
    expect(sanitise('a\r\nb\rc\r\r\nd')).toBe('a\nb\nc\n\nd');
  });

  test.each([0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069])(
    'the bidirectional control U+%x',
    (point) => {
      expect(sanitise(`invoice${String.fromCodePoint(point)}fdp.exe`)).toBe(`invoice${FFFD}fdp.exe`);
    },
  );

  test.each([0x200b, 0x2028, 0x2029, 0x2060, 0x2064, 0xfeff, 0xfff9, 0xfffb])(
    'the invisible character U+%x',
    (point) => {
      expect(sanitise(`a${String.fromCodePoint(point)}b`)).toBe(`a${FFFD}b`);
    },
  );

  test('half a surrogate pair', () => {
    expect(sanitise('a\ud83db')).toBe(`a${FFFD}b`);
    expect(sanitise('a\ude00b')).toBe(`a${FFFD}b`);
    expect(sanitise('\ude00\ud83d')).toBe(FFFD + FFFD);
  });
});

test.each([
  ['a family joined from four', '👨‍👩‍👧‍👦'],
  ['a flag of regional indicators', '🇦🇹'],
  ['a flag of tags', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'],
  ['a skin tone', '👍🏽'],
  ['a heart in emoji style', '❤️'],
  ['Chinese', '你好，世界'],
  ['Arabic and Hebrew, which need no controls', 'سلام שלום'],
  ['Persian with a non-joiner', 'می‌خواهم'],
  ['combining characters', 'e\u0301 a\u0308'],
  ['what begins no sequence without its escape', '[31m ]0; \\ ^ _'],
])('%s stays as it is', (_, text) => {
  expect(sanitise(text)).toBe(text);
});

describe('whatever comes in,', () => {
  test('nothing that a terminal obeys comes out but newlines', () => {
    fc.assert(
      fc.property(anything, (text) => {
        expect(OBEYED.test(sanitise(text).replaceAll('\n', ''))).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test('a line stays one line', () => {
    fc.assert(
      fc.property(anything, (text) => {
        expect(OBEYED.test(sanitiseLine(text))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test('doing it twice changes nothing more', () => {
    fc.assert(
      fc.property(anything, (text) => {
        expect(sanitise(sanitise(text))).toBe(sanitise(text));
      }),
    );
  });
});

test('JSON means what it meant, in one line without anything that a terminal obeys', () => {
  fc.assert(
    fc.property(anything, (text) => {
      const json = escapeInJson(JSON.stringify({ text }));
      expect(OBEYED.test(json)).toBe(false);
      expect(JSON.parse(json)).toEqual({ text });
    }),
    { numRuns: 1000 },
  );
});
