import { describe, expect, test } from 'vitest';
import {
  countOf,
  formatBytes,
  formatClock,
  formatDay,
  formatDuration,
  formatPart,
  formatPercent,
  formatRate,
  receiptSign,
} from '../../../src/peer/ui/format.js';

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [999, '999 bytes'],
  [1000, '1.0 kB'],
  [9_940, '9.9 kB'],
  [9_960, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [4_300_000_000, '4.3 GB'],
  [Number.MAX_SAFE_INTEGER, '9.0 PB'],
])('%d bytes are written %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a part is told in the unit of the whole', () => {
  expect(formatPart(1_200_000, 3_400_000)).toBe('1.2 of 3.4 MB');
  expect(formatPart(400_000, 24_000_000)).toBe('0 of 24 MB');
  expect(formatPart(5, 900)).toBe('5 of 900 bytes');
});

test('a rate is bytes by the second', () => {
  expect(formatRate(1_234_567.8)).toBe('1.2 MB/s');
});

test.each([
  [0, '0:00'],
  [59.4, '0:59'],
  [59.6, '1:00'],
  [754, '12:34'],
  [10_921, '3:02:01'],
  [-5, '0:00'],
])('%d seconds are written %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test('a hundred per cent means all of it', () => {
  expect(formatPercent(999, 1000)).toBe('99%');
  expect(formatPercent(1000, 1000)).toBe('100%');
  expect(formatPercent(0, 0)).toBe('100%');
});

describe('dates', () => {
  test('are local and in words', () => {
    const at = new Date(2025, 2, 4, 9, 5);
    expect(formatClock(at)).toBe('09:05');
    expect(formatDay(at)).toBe('Tuesday 4 March 2025');
  });

  test('midnight is 00:00', () => {
    expect(formatClock(new Date(2025, 2, 4, 0, 0))).toBe('00:00');
  });

  test('that a peer made up do no harm', () => {
    expect(formatClock(new Date('never'))).toBe('--:--');
    expect(formatDay(new Date('never'))).toBe('some day');
  });
});

test('every receipt has its own shape, without colour', () => {
  const signs = (['sent', 'delivered', 'read'] as const).map(receiptSign);
  expect(new Set(signs).size).toBe(3);
});

test('counts have their plural', () => {
  expect(countOf(1, 'file')).toBe('1 file');
  expect(countOf(1200, 'file')).toBe('1,200 files');
});
