import { expect, test } from 'vitest';
import { rowWidth } from '../../../src/peer/ui/rows.js';
import { bar, transferRows } from '../../../src/peer/ui/transfer-bars.js';
import { TransferBook } from '../../../src/peer/ui/transfer-book.js';
import { rowText } from '../../support/rows.js';

function book(): TransferBook {
  const transfers = new TransferBook();
  const files = [
    { name: 'holiday/a.jpg', size: 1_000_000 },
    { name: 'holiday/b.jpg', size: 2_400_000 },
  ];
  transfers.record({ event: 'offer', transfer: 't1', files });
  transfers.record({ event: 'offered', transfer: 't2', files: [{ name: 'report.pdf', size: 1500 }] });
  return transfers;
}

const PROGRESS = {
  event: 'progress',
  transfer: 't1',
  name: 'holiday/b.jpg',
  bytes: 1_700_000,
  total: 3_400_000,
  bytesPerSecond: 450_000,
  etaSeconds: 4,
} as const;

function texts(transfers: TransferBook, width: number, maxRows = 5): string[] {
  return transferRows(transfers.list(), width, maxRows).map((row) => rowText(row).trimEnd());
}

test('offers say what they wait for', () => {
  expect(texts(book(), 80)).toEqual([
    ' 1↓  holiday/ (2 files), 3.4 MB  /accept 1 or /decline 1',
    ' 2↑  report.pdf, 1.5 kB  waiting for an answer',
  ]);
  expect(texts(book(), 40)).toEqual([' 1↓  holiday/ (2 files)  /accept 1', ' 2↑  report.pdf  offered']);
});

test('what moves has a bar, the present file, bytes, rate and time left', () => {
  const transfers = book();
  transfers.record(PROGRESS);
  expect(texts(transfers, 80)[0]).toMatch(
    /^ 1↓ {2}holiday\/b.jpg +█{6}░{7} {2}50% {2}1.7 of 3.4 MB {2}450 kB\/s {2}0:04$/,
  );
  expect(texts(transfers, 40)[0]).toMatch(/^ 1↓ {2}holiday\/b.jpg +████░░░░ {2}50% 0:04$/);
});

test('without a link it says that it waits for one, and no rate of before', () => {
  const transfers = book();
  transfers.record(PROGRESS);
  transfers.record({ event: 'disconnected', reason: 'gone' });
  expect(texts(transfers, 80)[0]).toMatch(/50% {2}1.7 of 3.4 MB {2}waiting for the connection$/);
  expect(texts(transfers, 60)[0]).toMatch(/50% {2}1.7 of 3.4 MB {2}waiting$/);
  expect(texts(transfers, 40)[0]).toMatch(/50% waiting$/);
  transfers.record({ event: 'connected', peer: '', path: 'relay', remote: '', rttMs: 1, group: '' });
  expect(texts(transfers, 80)[0]).toMatch(/1.7 of 3.4 MB {2}0 bytes\/s$/);
  transfers.record(PROGRESS);
  expect(texts(transfers, 80)[0]).toContain('450 kB/s');
});

test('accepted and not begun, it stands at nothing', () => {
  const transfers = book();
  transfers.record({ event: 'accepted', transfer: 't1', into: '/in' });
  expect(texts(transfers, 80)[0]).toMatch(/holiday\/ \(2 files\) +░+ +0%/);
});

test('no row is wider than the screen', () => {
  const transfers = book();
  transfers.record({
    ...PROGRESS,
    name: `holiday/${'你'.repeat(100)}`,
    bytesPerSecond: 123_456_789,
    etaSeconds: 359_999,
  });
  for (const width of [40, 59, 60, 80, 120]) {
    for (const row of transferRows(transfers.list(), width, 5)) expect(rowWidth(row)).toBeLessThanOrEqual(width);
  }
  transfers.record({ event: 'disconnected', reason: 'gone' });
  for (const width of [40, 59, 60, 80, 120]) {
    for (const row of transferRows(transfers.list(), width, 5)) expect(rowWidth(row)).toBeLessThanOrEqual(width);
  }
});

test('what finds no room is counted', () => {
  const transfers = book();
  for (const id of ['a', 'b', 'c'])
    transfers.record({ event: 'offered', transfer: id, files: [{ name: id, size: 1 }] });
  expect(texts(transfers, 80, 3).at(-1)).toBe(' and 3 more transfers');
  expect(texts(transfers, 80, 3).length).toBe(3);
});

test('a bar is full only at the end', () => {
  expect(bar(0, 4)).toBe('░░░░');
  expect(bar(0.999, 4)).toBe('███░');
  expect(bar(1, 4)).toBe('████');
  expect(bar(7, 4)).toBe('████');
});
