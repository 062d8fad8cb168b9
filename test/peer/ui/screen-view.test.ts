import { describe, expect, test } from 'vitest';
import { insert, newEditor } from '../../../src/peer/ui/line-editor.js';
import { rowWidth } from '../../../src/peer/ui/rows.js';
import { type ScreenModel, viewScreen } from '../../../src/peer/ui/screen-view.js';
import { Transcript } from '../../../src/peer/ui/transcript.js';
import { TransferBook } from '../../../src/peer/ui/transfer-book.js';
import { rowText } from '../../support/rows.js';

function model(change: Partial<ScreenModel> = {}): ScreenModel {
  const transcript = new Transcript('bob');
  for (let i = 0; i < 50; i += 1) {
    transcript.addMessage({ id: `${i}`, from: 'peer', text: `m${i}`, at: '2025-03-04T12:00:00Z', state: 'received' });
  }
  return {
    status: {
      peer: { id: 'x', name: 'bob', verified: true },
      state: 'connecting',
      link: null,
      mediatorLost: false,
      outbox: 0,
      lifetime: 0,
    },
    transcript,
    offset: 0,
    newBelow: 0,
    transfers: [],
    editor: newEditor(),
    choices: [],
    peerName: 'bob',
    ...change,
  };
}

function texts(change: Partial<ScreenModel> = {}, columns = 80, height = 24): string[] {
  return viewScreen(model(change), columns, height).rows.map((row) => rowText(row).trimEnd());
}

function someTransfers(count: number) {
  const book = new TransferBook();
  for (let i = 0; i < count; i += 1)
    book.record({ event: 'offered', transfer: `${i}`, files: [{ name: `f${i}`, size: 1 }] });
  return book.list();
}

describe.each([
  [80, 24],
  [40, 12],
  [20, 5],
  [10, 3],
  [2, 2],
  [1, 1],
])('at %d by %d', (columns, height) => {
  test('the screen is filled exactly, and the cursor is on it', () => {
    const full = model({
      transfers: someTransfers(9),
      choices: ['a', 'b'],
      editor: insert(newEditor(), 'x'.repeat(200)),
      offset: 5,
    });
    for (const each of [model(), full]) {
      const { rows, cursor } = viewScreen(each, columns, height);
      expect(rows.length).toBe(height);
      expect(cursor.row).toBeLessThan(height);
      for (const row of rows) expect(rowWidth(row)).toBeLessThanOrEqual(columns);
    }
  });
});

test('top to bottom: status, transcript, rule, input', () => {
  const rows = texts();
  expect(rows[0]).toContain('connecting');
  expect(rows.at(-3)).toContain('m49');
  expect(rows.at(-2)).toBe('─'.repeat(80));
  expect(rows.at(-1)).toBe('› Write to bob, or /help');
});

test('transfers stand between rule and input, and only while there are any', () => {
  expect(texts({ transfers: someTransfers(1) }).at(-2)).toContain('f0');
  expect(texts({ transfers: someTransfers(1) }).at(-3)).toBe('─'.repeat(80));
  expect(texts({ transfers: someTransfers(9) }, 40, 12).filter((row) => /↑|more transfers/.test(row)).length).toBe(2);
});

test('further up, the rule says what is below', () => {
  expect(texts({ offset: 10 }).at(-2)).toContain('↓ more below');
  expect(texts({ offset: 10, newBelow: 3 }).at(-2)).toContain('↓ 3 new messages below');
  expect(texts({ offset: 10, newBelow: 1 }, 40, 12).at(-2)).toContain('↓ 1 new message below ─');
});

test('a page is what the transcript got', () => {
  expect(viewScreen(model(), 80, 24).page).toBe(21);
  expect(viewScreen(model({ offset: 1e9 }), 80, 24).offset).toBe(51 - 21);
});

test('choices stand above the input, and too many are counted', () => {
  expect(texts({ choices: ['a.txt', 'b/'] }).at(-2)).toBe('a.txt  b/');
  const many = texts({ choices: Array.from({ length: 500 }, (_, i) => `file${i}`) }, 40, 12);
  expect(many.at(-2)).toBe('… 500 choices in all');
});
