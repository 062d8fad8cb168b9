import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteBucket } from '../../../src/server/relay/byte-bucket.js';

describe('a bucket of bytes', () => {
  it('lets its burst through at once, and then as much as its rate', () => {
    const bucket = new ByteBucket(1000, 500, 0);
    expect(bucket.available(0)).toBe(500);
    bucket.take(500, 0);
    expect(bucket.available(0)).toBe(0);
    expect(bucket.available(100)).toBe(100);
    expect(bucket.waitMs(300, 100)).toBe(200);
    expect(bucket.waitMs(100, 100)).toBe(0);
  });

  it('holds no more than its burst, however long nothing passes', () => {
    const bucket = new ByteBucket(1000, 500, 0);
    expect(bucket.available(1_000_000)).toBe(500);
  });

  it('does not wait for ever for more than it can hold', () => {
    const bucket = new ByteBucket(1000, 500, 0);
    bucket.take(500, 0);
    expect(bucket.waitMs(10_000, 0)).toBe(500);
  });

  it('never lets more pass in any time than burst and rate allow', () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(2_000), wanted: fc.nat(5_000) }), { maxLength: 100 });
    fc.assert(
      fc.property(steps, (wishes) => {
        const bucket = new ByteBucket(1000, 500, 0);
        let nowMs = 0;
        let passed = 0;
        for (const { afterMs, wanted } of wishes) {
          nowMs += afterMs;
          const bytes = Math.min(wanted, bucket.available(nowMs));
          bucket.take(bytes, nowMs);
          passed += bytes;
          expect(passed).toBeLessThanOrEqual(500 + nowMs + 1e-6 * wishes.length);
        }
      }),
    );
  });
});
