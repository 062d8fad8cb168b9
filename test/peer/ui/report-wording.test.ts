import { expect, test } from 'vitest';
import { pathLines, searchLines, verificationLines } from '../../../src/peer/ui/report-wording.js';
import type { Lines } from '../../../src/peer/ui/wording.js';
import { rowText } from '../../support/rows.js';

function texts(lines: Lines): string[] {
  return Array.from({ length: lines.count }, (_, i) => rowText(lines.line(i)));
}

test('both keys are told in words, in the order given, in columns', () => {
  const words = ['apple', 'river', 'sun', 'north', 'violin'];
  const keys = [
    { whose: 'peer' as const, id: 'a', words },
    { whose: 'me' as const, id: 'b', words: words.toReversed() },
  ];
  expect(texts(verificationLines({ keys }, 'bob', false)).slice(1, -2)).toEqual([
    "bob's key",
    '  apple   river   sun     north ',
    '  violin',
    'Your key',
    '  violin  north   sun     river ',
    '  apple ',
  ]);
});

test('who has compared the words is told what to do, or that it was done', () => {
  const last = (verified: boolean) => texts(verificationLines({ keys: [] }, 'bob', verified)).at(-1);
  expect(last(false)).toBe('If they are the same: /verify yes');
  expect(last(true)).toBe('You have verified them. /verify no takes that back.');
});

test('the path is told with what else was tried', () => {
  const current = { path: 'tcp-direct', remote: '192.0.2.1:5', rttMs: 3, group: 'X25519', why: 'first' } as const;
  const attempts = [{ path: 'tcp-punch', remote: '192.0.2.7:4', outcome: 'no answer\x1b[0m' }] as const;
  const lines = texts(pathLines({ current, attempts: [...attempts] }));
  expect(lines[0]).toBe('tcp-direct to 192.0.2.1:5');
  expect(lines.join('\n')).toContain('not post-quantum (X25519)');
  expect(lines.at(-1)).toBe('  tcp-punch   192.0.2.7:4  no answer\ufffd[0m');
});

test('no path is told as such', () => {
  expect(texts(pathLines({ current: null, attempts: [] }))).toEqual(['Not connected just now.']);
});

test('what was found stands on one line each', () => {
  const at = new Date(2025, 2, 4, 9, 5).toISOString();
  const found = [{ id: '1', from: 'peer' as const, text: 'two\nlines\x07', at, state: 'received' as const }];
  expect(texts(searchLines(found, 'lines', 'bob'))).toEqual([
    '1 message with “lines”:',
    '4 Mar 2025 09:05 bob  two ↵ lines\ufffd',
  ]);
  expect(texts(searchLines([], 'x', 'bob'))).toEqual(['Nothing found for “x”.']);
});
