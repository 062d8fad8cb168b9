import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Improvement } from '../../../src/peer/meeting/improvement.js';

let improvement: Improvement;
let looks: number[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  looks = [];
  const startedAt = performance.now();
  improvement = new Improvement(() => {
    looks.push(Math.round((performance.now() - startedAt) / 1_000));
    // The mediator introduces the two.
    improvement.looking();
  });
});

afterEach(() => {
  improvement.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const seconds = (count: number) => vi.advanceTimersByTime(count * 1_000);

test('a session on the relay looks for a better path soon, and ever more seldom', () => {
  improvement.looking();
  improvement.uses('relay');
  seconds(900);
  expect(looks).toEqual([15, 45, 105, 225, 405, 585, 765]);
});

test('one on the best of all paths looks for nothing, and one on another direct path now and then', () => {
  improvement.uses('tcp-direct');
  seconds(1_000);
  expect(looks).toEqual([]);
  improvement.uses('udp-punch');
  seconds(400);
  expect(looks).toEqual([1_180, 1_360]);
});

test('a direct path that served long makes it look soon again, and one that soon died does not', () => {
  improvement.uses('tcp-punch');
  seconds(120);
  improvement.uses('relay');
  seconds(16);
  expect(looks).toEqual([135]);
  for (let time = 136; time < 160; time += 8) {
    improvement.uses('tcp-punch');
    seconds(4);
    improvement.uses('relay');
    seconds(4);
  }
  seconds(27);
  expect(looks).toEqual([135, 186]);
});

test('another relay link is no reason to begin anew, another network is', () => {
  improvement.uses('relay');
  seconds(50);
  improvement.uses('relay');
  seconds(30);
  expect(looks).toEqual([15, 45]);
  improvement.startAnew();
  seconds(16);
  expect(looks).toEqual([15, 45, 95]);
});
