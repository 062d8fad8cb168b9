import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateEstimate } from '../../../src/peer/files/rate.js';

function feedSteadily(rate: RateEstimate, o: { fromMs: number; toMs: number; bytes: number; perMs: number }): number {
  let bytes = o.bytes;
  for (let now = o.fromMs; now <= o.toMs; now += 100) {
    rate.feed(now, bytes);
    bytes += o.perMs * 100;
  }
  return bytes - o.perMs * 100;
}

describe('RateEstimate', () => {
  it('tells a steady speed exactly, from the second report on', () => {
    const rate = new RateEstimate(1_000_000);
    rate.feed(1_000, 0);
    rate.feed(1_100, 5_000);
    expect(rate.bytesPerSecond).toBe(50_000);
    expect(rate.etaSeconds).toBe(20);
  });

  it('knows nothing before anything has moved', () => {
    const rate = new RateEstimate(100);
    expect([rate.bytesPerSecond, rate.etaSeconds]).toEqual([0, null]);
    rate.feed(0, 0);
    expect([rate.bytesPerSecond, rate.etaSeconds]).toEqual([0, null]);
    rate.feed(0, 50);
    expect([rate.bytesPerSecond, rate.etaSeconds]).toEqual([0, null]);
  });

  it('does not count as speed what was there before', () => {
    const rate = new RateEstimate(10_000_000);
    rate.feed(0, 9_000_000);
    rate.feed(1_000, 9_000_100);
    expect(rate.bytesPerSecond).toBe(100);
  });

  it('smooths a change of speed over a few seconds', () => {
    const rate = new RateEstimate(1e9);
    const bytes = feedSteadily(rate, { fromMs: 0, toMs: 20_000, bytes: 0, perMs: 1_000 });
    rate.feed(20_100, bytes + 500_000);
    expect(rate.bytesPerSecond).toBeGreaterThan(1_000_000);
    expect(rate.bytesPerSecond).toBeLessThan(1_200_000);
    feedSteadily(rate, { fromMs: 20_200, toMs: 32_000, bytes: bytes + 500_000, perMs: 2_000 });
    expect(rate.bytesPerSecond).toBeGreaterThan(1_900_000);
  });

  it('falls towards nothing while nothing moves', () => {
    const rate = new RateEstimate(1e9);
    const bytes = feedSteadily(rate, { fromMs: 0, toMs: 5_000, bytes: 0, perMs: 1_000 });
    feedSteadily(rate, { fromMs: 5_100, toMs: 15_000, bytes, perMs: 0 });
    expect(rate.bytesPerSecond).toBeLessThan(100_000);
    feedSteadily(rate, { fromMs: 15_100, toMs: 120_000, bytes, perMs: 0 });
    expect(rate.etaSeconds).toBe(null);
  });

  it('has nothing left at the end', () => {
    const rate = new RateEstimate(10);
    rate.feed(0, 10);
    expect(rate.etaSeconds).toBe(0);
  });

  it('never tells a negative or impossible number, whatever it is fed', () => {
    const feeds = fc.array(fc.tuple(fc.nat(1e6), fc.nat(1e9)));
    fc.assert(
      fc.property(fc.nat(1e9), feeds, (total, reports) => {
        const rate = new RateEstimate(total);
        for (const [now, bytes] of reports) {
          rate.feed(now, bytes);
          expect(Number.isSafeInteger(rate.bytesPerSecond) && rate.bytesPerSecond >= 0).toBe(true);
          expect(rate.etaSeconds === null || (Number.isSafeInteger(rate.etaSeconds) && rate.etaSeconds >= 0)).toBe(
            true,
          );
        }
      }),
    );
  });
});
