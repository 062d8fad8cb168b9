import { describe, expect, it } from 'vitest';
import { RELAY_SIGNALLING_BYTES } from '../../../src/protocol/constants.js';
import { Allowances, type RelayLimits } from '../../../src/server/relay/allowances.js';
import { UNLIMITED_RELAY } from '../../support/relay.js';

const HOUR_MS = 3600 * 1000;
const allowances = (limits: Partial<RelayLimits> = {}) => new Allowances({ ...UNLIMITED_RELAY, ...limits });

describe('what a new relay may carry', () => {
  it('is as much as its pair may, and its pair as much as it likes', () => {
    const all = allowances();
    expect(all.quotaOf('ann bob', 0)).toBe(0);
    all.of('ann bob', 0).use(1e15, 0);
    expect(all.quotaOf('ann bob', 0)).toBe(0);
    expect(all.of('ann bob', 0).piece(1e9, 0)).toBe(1e9);
  });

  it('is little where the relay carries no sessions', () => {
    expect(allowances({ sessions: false }).quotaOf('ann bob', 0)).toBe(RELAY_SIGNALLING_BYTES);
  });

  it('is little for a pair that has used up its day, until the day is over, and for no other', () => {
    const all = allowances({ bytesPerDay: 1000 });
    const bobs = all.of('ann bob', HOUR_MS);
    bobs.use(400, HOUR_MS);
    bobs.use(600, 20 * HOUR_MS);
    expect(bobs.left(20 * HOUR_MS)).toBe(0);
    expect(all.quotaOf('ann bob', 24 * HOUR_MS)).toBe(RELAY_SIGNALLING_BYTES);
    expect(all.quotaOf('ann cat', 20 * HOUR_MS)).toBe(0);
    expect(all.quotaOf('ann bob', 25 * HOUR_MS)).toBe(0);
    expect(bobs.left(25 * HOUR_MS)).toBe(1000);
  });
});

describe('a rate', () => {
  it('lets as much through at once as two peers need to find each other, however low it is', () => {
    const slow = allowances({ bytesPerSecond: 2048 }).of('ann bob', 0);
    expect(slow.piece(RELAY_SIGNALLING_BYTES, 0)).toBe(RELAY_SIGNALLING_BYTES);
    slow.take(RELAY_SIGNALLING_BYTES, 0);
    expect(slow.piece(1024, 0)).toBe(0);
  });

  it('lets pass neither crumbs of what waits nor, at once, all of it', () => {
    const allowance = allowances({ bytesPerSecond: 1024 * 1024 }).of('ann bob', 0);
    allowance.take(1024 * 1024, 0);
    expect(allowance.piece(100_000, 10)).toBe(0);
    const waitMs = allowance.waitMs(100_000, 10);
    expect(waitMs).toBeCloseTo(40);
    expect(allowance.piece(100_000, 10 + waitMs + 1)).toBeGreaterThan(50_000);
    expect(allowance.piece(5, 10)).toBe(5);
  });
});

describe('pairs that have rested', () => {
  it('are forgotten, and only those', () => {
    const all = allowances({ bytesPerDay: 1000, bytesPerSecond: 1024 });
    const busy = all.of('busy', 0);
    busy.inUse = true;
    const spent = all.of('spent', 0);
    spent.use(1000, 0);
    const idle = all.of('idle', 0);
    for (let pair = 0; pair < 2000; pair++) all.of(`pair ${pair}`, HOUR_MS);
    expect(all.of('busy', HOUR_MS)).toBe(busy);
    expect(all.of('spent', HOUR_MS)).toBe(spent);
    expect(all.of('idle', HOUR_MS)).not.toBe(idle);
  });
});
