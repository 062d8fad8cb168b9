import { describe, expect, it } from 'vitest';
import { Troubles } from '../../../src/peer/session/trouble.js';

describe('the same trouble', () => {
  it('is told once, however often and long it comes, and again when it comes back after a quiet minute', () => {
    const troubles = new Troubles();
    expect(troubles.isNews('', 'full', 0)).toBe(true);
    for (let at = 5_000; at <= 3_600_000; at += 5_000) expect(troubles.isNews('', 'full', at)).toBe(false);
    expect(troubles.isNews('', 'full', 3_660_000)).toBe(false);
    expect(troubles.isNews('', 'full', 3_720_001)).toBe(true);
  });

  it('is told of each transfer, and after another, and after it was over', () => {
    const troubles = new Troubles();
    expect(troubles.isNews('a', 'full', 0)).toBe(true);
    expect(troubles.isNews('b', 'full', 0)).toBe(true);
    expect(troubles.isNews('a', 'read-only', 1)).toBe(true);
    expect(troubles.isNews('a', 'full', 2)).toBe(true);
    troubles.forget('a');
    expect(troubles.isNews('a', 'full', 3)).toBe(true);
    expect(troubles.isNews('b', 'full', 3)).toBe(false);
  });
});
