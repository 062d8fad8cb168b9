import { expect, test } from 'vitest';
import { TransferBook } from '../../../src/peer/ui/transfer-book.js';

const FILES = [
  { name: 'a.txt', size: 10 },
  { name: 'b.txt', size: 20 },
];
const PROGRESS = { event: 'progress', transfer: 't1', name: 'a.txt', bytes: 5, total: 30 } as const;

test('numbers transfers in the order in which they are met', () => {
  const book = new TransferBook();
  expect(book.record({ event: 'offer', transfer: 't1', files: FILES })?.number).toBe(1);
  expect(book.record({ event: 'offered', transfer: 't2', files: FILES })?.number).toBe(2);
  expect(book.record({ event: 'offer', transfer: 't1', files: FILES, replayed: true })?.number).toBe(1);
  expect(book.list().map(({ direction, total }) => [direction, total])).toEqual([
    ['receive', 30],
    ['send', 30],
  ]);
});

test('follows a transfer to its end, and then forgets it', () => {
  const book = new TransferBook();
  book.record({ event: 'offer', transfer: 't1', files: FILES });
  expect(book.record({ event: 'accepted', transfer: 't1', into: '/in' })).toMatchObject({
    state: 'accepted',
    into: '/in',
  });
  const progress = { ...PROGRESS, bytesPerSecond: 1, etaSeconds: 25 };
  expect(book.record(progress)?.progress).toEqual(progress);
  const file = { event: 'file', transfer: 't1', name: 'a.txt', path: '/in/a.txt', bytes: 10, sha256: '00' } as const;
  expect(book.record(file)?.lastPath).toBe('/in/a.txt');
  expect(book.record({ event: 'transferred', transfer: 't1' })?.state).toBe('transferred');
  expect(book.list()).toEqual([]);
});

test('knows the transfers that were there before', () => {
  const status = {
    transfer: 't1',
    direction: 'send',
    state: 'accepted',
    name: 'x',
    files: 3,
    bytes: 1,
    total: 9,
  } as const;
  const book = new TransferBook([status]);
  expect(book.list()).toMatchObject([{ number: 1, direction: 'send', state: 'accepted', fileCount: 3, total: 9 }]);
});

test('has nothing to say of other events, or of transfers it never met', () => {
  const book = new TransferBook();
  expect(book.record({ event: 'online' })).toBeUndefined();
  expect(book.record({ event: 'transferred', transfer: 'strange' })).toBeUndefined();
  expect(book.record({ event: 'error', code: 7, message: 'm', hint: 'h' })).toBeUndefined();
});
