import { expect, it } from 'vitest';
import { REMEMBERED, RecentDigests } from '../../../src/peer/files/recent-digests.js';
import { RunningDigest } from '../../../src/peer/files/running-digest.js';

function digestsOf(entry: number, lengths: number[], into = new RecentDigests()): RecentDigests {
  const digest = new RunningDigest();
  for (const length of lengths) {
    digest.update(Buffer.alloc(length - digest.length));
    into.keep(entry, digest);
  }
  return into;
}

it('finds the longest digest of the file that covers no more than asked', () => {
  const recent = digestsOf(4, [15], digestsOf(3, [10, 20, 30]));
  expect([9, 10, 29, 30, 99].map((length) => recent.longestWithin(3, length)?.length)).toEqual([
    undefined,
    10,
    20,
    30,
    30,
  ]);
  expect(recent.longestWithin(4, 99)?.length).toBe(15);
  expect(recent.longestWithin(5, 99)).toBe(null);
});

it('gives a copy, so that the remembered one stays what it was', () => {
  const recent = digestsOf(0, [10]);
  recent.longestWithin(0, 10)?.update(Buffer.alloc(5));
  expect(recent.longestWithin(0, 10)?.length).toBe(10);
});

it('forgets the oldest first', () => {
  const recent = digestsOf(
    0,
    Array.from({ length: REMEMBERED + 88 }, (_, index) => index + 1),
  );
  expect(recent.longestWithin(0, 88)).toBe(null);
  expect(recent.longestWithin(0, 89)?.length).toBe(89);
  expect(recent.longestWithin(0, REMEMBERED + 88)?.length).toBe(REMEMBERED + 88);
});
