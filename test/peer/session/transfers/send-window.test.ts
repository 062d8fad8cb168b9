import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SendWindow } from '../../../../src/peer/session/transfers/send-window.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SMALLEST = 96 * KIB;
const LARGEST = 16 * MIB;
const SLICE = 64 * KIB;

interface SimulatedPath {
  bytesPerMs: number;
  rttMs: number;
  /** As the link has measured it; by default what it is. */
  measuredRttMs?: number;
  /** What has arrived is taken in, and told, this often. */
  takenInEveryMs?: number;
  /** How quickly what has arrived is taken in. */
  drainBytesPerMs?: number;
  /** Every so often nothing arrives for a round trip, as when a packet is lost; then all of it at once. */
  stallEveryMs?: number;
}

interface Outcome {
  /** Over the last half of the time. */
  bytesPerMs: number;
  /** The largest of the last half of the time. */
  window: number;
  largestWindow: number;
  lastWindow: number;
}

const STEP_MS = 0.25;

/** A sender that always has more to send, a bottleneck, and a receiver that tells what it took in. */
function simulate(path: SimulatedPath, forMs: number, change = (_nowMs: number) => {}): Outcome {
  const window = new SendWindow(() => path.measuredRttMs ?? path.rttMs);
  const oneWay = path.rttMs / 2;
  const takenInEveryMs = path.takenInEveryMs ?? STEP_MS;
  const drain = path.drainBytesPerMs ?? 4 * MIB;
  const told: { atMs: number; total: number }[] = [];
  const under: { atMs: number; bytes: number }[] = [];
  let queued = 0;
  let arrived = 0;
  let consumed = 0;
  let atHalf = 0;
  const outcome = { bytesPerMs: 0, window: 0, largestWindow: window.size, lastWindow: 0 };
  for (let now = 0; now < forMs; now += STEP_MS) {
    change(now);
    while (told[0] && told[0].atMs <= now) window.consumed(told.shift()?.total ?? 0, now);
    while (window.allowance > 0) {
      window.sent(SLICE, now);
      queued += SLICE;
    }
    const passed = Math.min(queued, path.bytesPerMs * STEP_MS);
    queued -= passed;
    under.push({ atMs: now + oneWay, bytes: passed });
    const stalls = path.stallEveryMs !== undefined && now % path.stallEveryMs < path.rttMs;
    while (!stalls && under[0] && under[0].atMs <= now) arrived += under.shift()?.bytes ?? 0;
    if (now % takenInEveryMs === 0 && arrived > consumed) {
      consumed = Math.min(arrived, consumed + drain * takenInEveryMs);
      told.push({ atMs: now + oneWay, total: Math.floor(consumed) });
    }
    outcome.largestWindow = Math.max(outcome.largestWindow, window.size);
    if (now < forMs / 2) atHalf = consumed;
    else outcome.window = Math.max(outcome.window, window.size);
  }
  outcome.lastWindow = window.size;
  outcome.bytesPerMs = (consumed - atHalf) / (forMs / 2);
  return outcome;
}

describe('SendWindow', () => {
  const fast: [string, SimulatedPath][] = [
    ['one machine', { bytesPerMs: 1_000_000, rttMs: 0.2 }],
    ['one room', { bytesPerMs: 110_000, rttMs: 0.5 }],
    ['one room, all of a window taken in at once', { bytesPerMs: 110_000, rttMs: 0.5, takenInEveryMs: 4 }],
    ['another continent', { bytesPerMs: 90_000, rttMs: 100 }],
    ['another continent, with losses', { bytesPerMs: 90_000, rttMs: 100, stallEveryMs: 1_500 }],
  ];

  it.each(fast)('grows until it fills a fast path: %s', (_, path) => {
    const outcome = simulate(path, 4_000);
    expect(outcome.bytesPerMs).toBeGreaterThan(0.9 * path.bytesPerMs);
    expect(outcome.window).toBeGreaterThan(0.9 * Math.min(LARGEST, wantedOn(path)));
  });

  const slower: [string, SimulatedPath][] = [
    ['80 Mbit/s', { bytesPerMs: 10_000, rttMs: 40 }],
    ['80 Mbit/s, acknowledged in bursts', { bytesPerMs: 10_000, rttMs: 40, takenInEveryMs: 20 }],
    ['16 Mbit/s, far', { bytesPerMs: 2_000, rttMs: 300 }],
  ];

  it.each(slower)('fills a slower path and little more: %s', (_, path) => {
    const outcome = simulate(path, 8_000);
    expect(outcome.bytesPerMs).toBeGreaterThan(0.85 * path.bytesPerMs);
    expect(outcome.window).toBeGreaterThan(0.95 * wantedOn(path));
    expect(outcome.largestWindow).toBeLessThan(1.25 * wantedOn(path));
  });

  it('takes what a loss has held up for no more than twice the rate', () => {
    const path = { bytesPerMs: 10_000, rttMs: 40, stallEveryMs: 1_000, drainBytesPerMs: 100_000 };
    const outcome = simulate(path, 8_000);
    expect(outcome.bytesPerMs).toBeGreaterThan(0.85 * path.bytesPerMs);
    expect(outcome.largestWindow).toBeLessThan(2.1 * wantedOn(path));
  });

  it('stays at its smallest on a path slower than that', () => {
    const outcome = simulate({ bytesPerMs: 100, rttMs: 40 }, 8_000);
    expect(outcome.largestWindow).toBe(SMALLEST);
    expect(outcome.bytesPerMs).toBeGreaterThan(95);
  });

  it('opens as fast, and no wider, when the round trip was measured while both sides were busy', () => {
    const path = { bytesPerMs: 300_000, rttMs: 0.5, takenInEveryMs: 2, measuredRttMs: 40 };
    expect(simulate(path, 20).largestWindow).toBeGreaterThan(8 * MIB);
    expect(simulate(path, 4_000).largestWindow).toBeLessThan(10 * MIB);
  });

  it('follows a path that has become slower', () => {
    const path = { bytesPerMs: 50_000, rttMs: 20 };
    const outcome = simulate(path, 8_000, (nowMs) => {
      path.bytesPerMs = nowMs < 3_000 ? 50_000 : 5_000;
    });
    expect(outcome.largestWindow).toBeGreaterThan(0.9 * wantedOn({ ...path, bytesPerMs: 50_000 }));
    expect(outcome.lastWindow).toBeLessThan(1.1 * 5_000 * 100);
  });

  it('learns nothing from the time in which there was nothing to send', () => {
    const window = new SendWindow(() => 10);
    for (let now = 0; now < 5_000; now += 100) {
      window.sent(100 * KIB, now);
      window.consumed((now / 100 + 1) * 100 * KIB, now + 10);
    }
    // 100 KiB in 10 ms, and then 90 ms of nothing.
    expect(window.size).toBeCloseTo(10 * KIB * (10 + 80), -2);
  });

  it('never leaves its bounds, whatever is sent and acknowledged when', () => {
    const step = fc.record({
      afterMs: fc.double({ min: 0, max: 3_000, noNaN: true }),
      bytes: fc.integer({ min: 1, max: 20 * MIB }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), fc.double({ min: 0, max: 5_000, noNaN: true }), (steps, rttMs) => {
        const window = new SendWindow(() => rttMs);
        let now = 0;
        let sent = 0;
        for (const { afterMs, bytes, share } of steps) {
          now += afterMs;
          sent += bytes;
          window.sent(bytes, now);
          expect(window.consumed(Math.floor(sent * share), now)).toBe(true);
          expect(window.size).toBeGreaterThanOrEqual(SMALLEST);
          expect(window.size).toBeLessThanOrEqual(LARGEST);
          expect(window.allowance).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it('allows what is not on its way, and nothing when all of it is', () => {
    const window = new SendWindow(() => 1);
    expect(window.allowance).toBe(SMALLEST);
    window.sent(SMALLEST - 1, 0);
    expect(window.allowance).toBe(1);
    window.sent(SLICE, 0);
    expect(window.allowance).toBe(0);
    window.consumed(SLICE + 9, 1);
    expect(window.allowance).toBe(10);
  });

  it('refuses an acknowledgement of more than was sent, and is not moved by it', () => {
    const window = new SendWindow(() => 1);
    window.sent(1000, 0);
    expect(window.consumed(1001, 1)).toBe(false);
    expect(window.allowance).toBe(SMALLEST - 1000);
    expect(window.consumed(1000, 1)).toBe(true);
  });

  it('takes no acknowledgement back', () => {
    const window = new SendWindow(() => 1);
    window.sent(1000, 0);
    window.consumed(900, 1);
    window.consumed(100, 2);
    expect(window.allowance).toBe(SMALLEST - 100);
  });
});

function wantedOn({ bytesPerMs, rttMs }: SimulatedPath): number {
  return bytesPerMs * rttMs + Math.min(bytesPerMs * 80, 8 * MIB);
}
