import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HistoryLine } from '../../../src/peer/session/conversation.js';
import { rowWidth, span } from '../../../src/peer/ui/rows.js';
import { Transcript } from '../../../src/peer/ui/transcript.js';
import { linesOf } from '../../../src/peer/ui/wording.js';
import { rowText } from '../../support/rows.js';

const DAY = new Date(2025, 2, 4, 9, 5);

function line(id: string, text: string, more: Partial<HistoryLine> = {}): HistoryLine {
  return { id, from: 'peer', text, at: DAY.toISOString(), state: 'received', ...more };
}

function view(transcript: Transcript, width = 80, height = 100, offset = 0): string[] {
  return transcript.view(width, height, offset).rows.map((row) => rowText(row).trimEnd());
}

describe('on a wide screen', () => {
  test('time, receipt and name have columns of their own', () => {
    const transcript = new Transcript('robert');
    transcript.addMessage(line('1', 'hello'));
    transcript.addMessage(line('2', 'hi', { from: 'me', state: 'delivered' }));
    transcript.addNote(DAY, linesOf([[span('something happened')]]));
    expect(view(transcript).slice(1)).toEqual([
      '09:05     robert  hello',
      '09:05 ✓✓      me  hi',
      '09:05          –  something happened',
    ]);
  });

  test('no line of a message reaches the columns that are ours', () => {
    const transcript = new Transcript('bob');
    transcript.addMessage(line('1', `first\n09:06 ✓✓  me  forged\n${'long '.repeat(30)}`));
    const [, , ...below] = view(transcript);
    expect(below.length).toBeGreaterThan(2);
    for (const row of below) expect(row).toMatch(/^ {15}\S/);
  });
});

test('on a narrow screen names and receipts are in the text', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'hello'));
  transcript.addMessage(line('2', 'a line that is longer than the screen', { from: 'me', state: 'read' }));
  expect(view(transcript, 40).slice(1)).toEqual([
    '09:05 bob hello',
    '09:05 me a line that is longer than the',
    '      screen ✓✓•',
  ]);
});

test('each day begins with its name', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'a'));
  transcript.addMessage(line('2', 'b'));
  transcript.addMessage(line('3', 'c', { at: new Date(2025, 2, 5, 8, 0).toISOString() }));
  const days = view(transcript).filter((row) => row.startsWith('─'));
  expect(days).toEqual([expect.stringContaining(' Tuesday 4 March 2025 '), expect.stringContaining(' Wednesday 5 ')]);
});

test('a message stands there once, however often it comes', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'once'));
  transcript.addMessage(line('1', 'once'));
  expect(transcript.height(80)).toBe(2);
});

test('receipts only go forward, and only on one’s own messages', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'x', { from: 'me', state: 'sent' }));
  transcript.addMessage(line('2', 'y'));
  transcript.setReceipt('1', 'read');
  transcript.setReceipt('1', 'delivered');
  transcript.setReceipt('2', 'read');
  transcript.setReceipt('unknown', 'read');
  expect(view(transcript).slice(1)).toEqual(['09:05 ✓✓•  me  x', '09:05     bob  y']);
});

test('the line above what is new moves with it', () => {
  const transcript = new Transcript('bob');
  for (const id of ['1', '2']) transcript.addMessage(line(id, id));
  transcript.markUnreadFrom('1');
  expect(view(transcript)[1]).toContain(' new ');
  transcript.markUnreadFrom('2');
  expect(view(transcript)[2]).toContain(' new ');
  transcript.markUnreadFrom(undefined);
  expect(view(transcript).join()).not.toContain(' new ');
});

test('old entries leave, and the first one left still has its day', () => {
  const transcript = new Transcript('bob');
  for (let i = 0; i < 5_010; i += 1) transcript.addMessage(line(String(i), `m${i}`));
  expect(transcript.height(80)).toBe(5_001);
  expect(view(transcript, 80, 2, 1e9)).toEqual([expect.stringContaining('Tuesday'), '09:05     bob  m10']);
});

test('cleared, it is empty and goes on', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'gone'));
  transcript.clear();
  expect(transcript.height(80)).toBe(0);
  transcript.addMessage(line('2', 'here'));
  expect(transcript.height(80)).toBe(2);
});

test('an offset beyond the beginning is cut down', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'a'));
  expect(transcript.view(80, 1, 99).offset).toBe(1);
  expect(transcript.view(80, 10, 99).offset).toBe(0);
});

test('every view of it is a window on the whole, at any width', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 6 }),
      fc.integer({ min: 20, max: 90 }),
      fc.nat(12),
      fc.nat(12),
      (all, width, height, offset) => {
        const transcript = new Transcript('bob');
        for (const [i, one] of all.entries()) transcript.addMessage(line(String(i), one.replaceAll('x', '\n')));
        const total = transcript.height(width);
        const whole = transcript.view(width, total, 0).rows;
        expect(whole.length).toBe(total);
        for (const row of whole) expect(rowWidth(row)).toBeLessThanOrEqual(width);
        const seen = transcript.view(width, height, offset);
        const end = total - seen.offset;
        expect(seen.rows).toEqual(whole.slice(Math.max(0, end - height), end));
      },
    ),
  );
});

test('a hundred thousand lines are scrolled through at once', () => {
  const transcript = new Transcript('bob');
  const count = 100_000;
  transcript.addNote(DAY, { count, line: (i) => [span(`file ${i}`)] });
  expect(view(transcript, 80, 1)).toEqual([`${' '.repeat(15)}file ${count - 1}`]);
  expect(view(transcript, 80, 1, count / 2)).toEqual([`${' '.repeat(15)}file ${count / 2 - 1}`]);
});

test('a message that disappears leaves no row, nor a day above nothing', () => {
  const transcript = new Transcript('bob');
  transcript.addMessage(line('1', 'first'));
  transcript.addMessage(line('2', 'second', { at: new Date(2025, 2, 5).toISOString() }));
  transcript.addMessage(line('3', 'third', { at: new Date(2025, 2, 5).toISOString() }));
  const day = view(transcript)[2];
  expect(transcript.textOf('2')).toBe('second');
  transcript.addNote(DAY, { ...linesOf([[span('1 message with “sec”')]]), quotes: ['0', '2'] });
  transcript.remove('1');
  transcript.remove('2');
  transcript.remove('unknown');
  expect(view(transcript)).toEqual([day, expect.stringContaining('third')]);
  expect(transcript.height(80)).toBe(2);
  expect(transcript.textOf('2')).toBeUndefined();
});
