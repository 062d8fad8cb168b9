import { describe, expect, test } from 'vitest';
import { Liveness, type Verdict } from '../../src/protocol/liveness.js';

const KEEPALIVE = { idleMs: 5_000, deadMs: 14_000, answerMs: 1_000 };

/** One whose first ping was answered at 0. */
function settled(): Liveness {
  const liveness = new Liveness(KEEPALIVE, -10);
  expect(liveness.judge(-9)).toBe('ask');
  liveness.pinged(-9);
  liveness.heard(0);
  return liveness;
}

/** Asks when it should, and notes when what was said. */
function watch(liveness: Liveness, fromMs: number, toMs: number): [number, Verdict][] {
  const said: [number, Verdict][] = [];
  for (let now = fromMs; now <= toMs; now += 100) {
    const verdict = liveness.judge(now);
    if (verdict !== 'alive') said.push([now, verdict]);
    if (verdict === 'ask') liveness.pinged(now);
    if (verdict === 'dead') break;
  }
  return said;
}

describe('a link that nobody uses', () => {
  test('is asked after a while, and is fine when it answers', () => {
    const liveness = settled();
    expect(watch(liveness, 0, 5_100)).toEqual([[5_100, 'ask']]);
    liveness.heard(5_150);
    expect(watch(liveness, 5_200, 10_000)).toEqual([]);
  });

  test('is doubted soon after it does not answer, asked again, and in the end dead', () => {
    const said = watch(settled(), 0, 20_000);
    expect(said.map(([, verdict]) => verdict)).toEqual(['ask', 'doubtful', 'ask', 'ask', 'ask', 'dead']);
    expect(said[1]?.[0]).toBeLessThan(8_000);
    expect(said.at(-1)?.[0]).toBe(14_100);
  });
});

describe('a link with something on its way', () => {
  test('is doubted within seconds', () => {
    const liveness = settled();
    liveness.asked(100);
    const said = watch(liveness, 100, 4_000);
    expect(said.map(([, verdict]) => verdict)).toEqual(['ask', 'doubtful']);
    expect(said[1]?.[0]).toBeLessThan(3_500);
  });

  test('is not doubted for being as slow as it was before', () => {
    const liveness = settled();
    let now = 0;
    for (const slownessMs of [800, 900, 1_000, 1_200, 1_500, 2_000, 2_500, 3_000, 2_000, 3_000]) {
      liveness.asked(now);
      expect(watch(liveness, now, now + slownessMs).filter(([, verdict]) => verdict === 'doubtful')).toEqual([]);
      now += slownessMs;
      liveness.heard(now);
    }
  });

  test('that was slow once and is quick again is judged by its quickness', () => {
    const liveness = settled();
    liveness.asked(0);
    liveness.heard(4_000);
    for (let now = 4_000; now < 4_500; now += 50) {
      liveness.asked(now);
      liveness.heard(now + 50);
    }
    liveness.asked(4_500);
    const said = watch(liveness, 4_500, 8_000);
    expect(said.at(-1)).toEqual([expect.any(Number), 'doubtful']);
    expect(said.at(-1)?.[0]).toBeLessThan(7_000);
  });
});

test('silence is counted from the last word', () => {
  const liveness = settled();
  liveness.heard(1_000);
  expect(liveness.silentMs(1_500)).toBe(500);
});
