import { expect, it } from 'vitest';
import { FULL, type Step, takeTurn } from '../../../src/peer/files/turns.js';

function* steps(...all: Step<number>[]): Generator<Step<number>, void> {
  yield* all;
}

it('does all there is to do, if that is little', () => {
  expect(takeTurn(steps(1, null, 2))).toEqual({ found: [1, 2], ended: true });
  expect(takeTurn(steps())).toEqual({ found: [], ended: true });
});

it('stops when there is no room, and goes on from there', () => {
  const work = steps(1, FULL, 2);
  expect(takeTurn(work)).toEqual({ found: [1], ended: false });
  expect(takeTurn(work)).toEqual({ found: [2], ended: true });
});

it('stops though there is no end, whether it finds anything or not', () => {
  function* endless(step: Step<number>): Generator<Step<number>, void> {
    while (true) yield step;
  }
  expect(takeTurn(endless(null))).toEqual({ found: [], ended: false });
  const { found, ended } = takeTurn(endless(7));
  expect(found.length).toBeGreaterThan(0);
  expect(ended).toBe(false);
});
