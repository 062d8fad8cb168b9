import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from '../../src/protocol/token-bucket.js';

test('lets a burst through, then one in each interval', () => {
  const bucket = new TokenBucket(3, 2, 1000);
  for (let taken = 0; taken < 3; taken++) {
    expect(bucket.waitMs(1000)).toBe(0);
    bucket.take(1000);
  }
  expect(bucket.waitMs(1000)).toBe(500);
  expect(bucket.waitMs(1400)).toBeCloseTo(100);
  expect(bucket.waitMs(1500)).toBe(0);
});

test('a long rest gives a burst and no more', () => {
  const bucket = new TokenBucket(2, 1, 0);
  for (const at of [1e9, 1e9]) bucket.take(at);
  expect(bucket.waitMs(1e9)).toBe(1000);
});

test('taking more than there is leaves no debt', () => {
  const bucket = new TokenBucket(1, 1, 0);
  for (let taken = 0; taken < 10; taken++) bucket.take(0);
  expect(bucket.waitMs(0)).toBe(1000);
});

test('whoever waits as told never gets more than the burst and the rate', () => {
  const steps = fc.array(fc.nat(5000), { maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 50 }), steps, (burst, rate, pauses) => {
      const bucket = new TokenBucket(burst, rate, 0);
      let now = 0;
      let taken = 0;
      for (const pause of pauses) {
        now += pause;
        if (bucket.waitMs(now) > 0) continue;
        bucket.take(now);
        taken += 1;
      }
      expect(taken).toBeLessThanOrEqual(burst + (now / 1000) * rate + 1e-6);
    }),
  );
});
