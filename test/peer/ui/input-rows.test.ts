import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inputView } from '../../../src/peer/ui/input-rows.js';
import { newEditor, setText } from '../../../src/peer/ui/line-editor.js';
import { rowWidth } from '../../../src/peer/ui/rows.js';
import { rowText } from '../../support/rows.js';

function view(text: string, cursor = text.length, width = 12, maxRows = 3) {
  const { rows, cursor: at } = inputView(setText(newEditor(), text, cursor), width, maxRows, 'write here');
  return { rows: rows.map(rowText), row: at.row, column: at.column };
}

test('empty, it says what it is for', () => {
  expect(view('')).toEqual({ rows: ['› write here'], row: 0, column: 2 });
});

test('the cursor stands in columns, not characters', () => {
  expect(view('a你b').column).toBe(6);
  expect(view('a👨‍👩‍👧‍👦b', 'a👨‍👩‍👧‍👦'.length)).toMatchObject({ column: 5 });
});

test('a long line takes more rows, with the cursor on the next when one is full', () => {
  expect(view('0123456789')).toEqual({ rows: ['› 0123456789', '  '], row: 1, column: 2 });
  expect(view('0123456789ab')).toEqual({ rows: ['› 0123456789', '  ab'], row: 1, column: 4 });
  expect(view('0123456789ab', 3)).toMatchObject({ row: 0, column: 5 });
});

test('a very long line shows the part with the cursor', () => {
  const digits = '0123456789'.repeat(5);
  expect(view(digits, 50, 12, 2)).toEqual({ rows: ['  0123456789', '  '], row: 1, column: 2 });
  expect(view(digits, 0, 12, 2)).toEqual({ rows: ['› 0123456789', '  0123456789'], row: 0, column: 2 });
  expect(view(digits, 25, 12, 2)).toMatchObject({ row: 1, column: 7 });
});

test('newlines and tabs are signs on the same row', () => {
  expect(view('a\nb\tc').rows).toEqual(['› a↵b⇥c']);
});

test('what a file name smuggles in is not obeyed', () => {
  expect(view('a\x1b[2J').rows).toEqual(['› a\ufffd[2J']);
});

test('it stays within its room, and so does the cursor', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), fc.integer({ min: 4, max: 30 }), (text, at, width) => {
      const { cursor } = setText(newEditor(), text, at % (text.length + 1));
      const { rows, cursor: shown } = inputView(setText(newEditor(), text, cursor), width, 3, '');
      expect(rows.length).toBeLessThanOrEqual(3);
      for (const row of rows) expect(rowWidth(row)).toBeLessThanOrEqual(width);
      expect(shown.row).toBeLessThan(rows.length);
      expect(shown.column).toBeLessThan(width);
    }),
  );
});
