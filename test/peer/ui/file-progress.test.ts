import { expect, test } from 'vitest';
import { FileProgressReader, fileProgressRow } from '../../../src/peer/ui/file-progress.js';
import { rowWidth } from '../../../src/peer/ui/rows.js';
import { TransferBook } from '../../../src/peer/ui/transfer-book.js';
import { rowText } from '../../support/rows.js';

const EVENT = {
  event: 'progress',
  transfer: 't',
  name: 'b',
  bytes: 0,
  total: 400,
  bytesPerSecond: 1e6,
  etaSeconds: 3,
} as const;

function reader() {
  const files = [
    { name: 'a', size: 100 },
    { name: 'b', size: 300 },
    { name: 'empty/', size: 0 },
  ];
  const entry = new TransferBook().record({ event: 'offered', transfer: 't', files });
  if (!entry) throw new Error('an offer is a transfer');
  return new FileProgressReader(entry);
}

test.each([
  ['a', 0, 0, 100],
  ['a', 100, 100, 100],
  ['b', 100, 0, 300],
  ['b', 250, 150, 300],
  ['b', 400, 300, 300],
  // A name that runs ahead of its bytes, or behind.
  ['b', 50, 0, 300],
  ['a', 250, 100, 100],
  ['empty/', 400, 0, 0],
  ['never offered', 250, 250, 400],
])('%s at %d of the whole is at %d of %d', (name, bytes, fileBytes, size) => {
  expect(reader().read({ ...EVENT, name, bytes })).toEqual({ name, bytes: fileBytes, size });
});

test('one reader finds files in any order, and again after one that was never offered', () => {
  const one = reader();
  const read = (name: string, bytes: number) => one.read({ ...EVENT, name, bytes });
  expect(read('b', 250)).toEqual({ name: 'b', bytes: 150, size: 300 });
  expect(read('a', 40)).toEqual({ name: 'a', bytes: 40, size: 100 });
  expect(read('never offered', 40)).toEqual({ name: 'never offered', bytes: 40, size: 400 });
  expect(read('empty/', 400)).toEqual({ name: 'empty/', bytes: 0, size: 0 });
  expect(read('b', 101)).toEqual({ name: 'b', bytes: 1, size: 300 });
});

test('a row has the name, a bar, and the numbers', () => {
  const row = fileProgressRow({ name: 'photo.png', bytes: 12_000_000, size: 24_000_000 }, EVENT, 80);
  expect(rowText(row)).toBe(`${'photo.png'.padEnd(24)}  ██████████░░░░░░░░░░ 50%  12 of 24 MB  1.0 MB/s  0:03`);
});

test('done, it has no time left', () => {
  expect(rowText(fileProgressRow({ name: 'x', bytes: 5, size: 5 }, EVENT, 80))).toMatch(
    /100% {2}5 of 5 bytes {2}1.0 MB\/s$/,
  );
});

test.each([40, 60, 80, 120])('it fits %d columns, whatever the name', (columns) => {
  const row = fileProgressRow({ name: `${'你'.repeat(200)}\x1b[2J`, bytes: 1, size: 2 }, EVENT, columns);
  expect(rowWidth(row)).toBeLessThanOrEqual(columns);
  expect(rowText(row)).not.toContain('\x1b');
});
