import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextPorts, shuffledPorts } from '../../../../src/peer/paths/udp/ports.js';

test('the next ports follow the last by the step, and none is beyond what exists', () => {
  expect(nextPorts(40000, 2, 3)).toEqual([40002, 40004, 40006]);
  expect(nextPorts(3, -1, 5)).toEqual([2, 1]);
  expect(nextPorts(65533, 1, 5)).toEqual([65534, 65535]);
});

test('the pool comes first and whole, then all other ports from 1024 on, none twice', () => {
  const pools = fc
    .tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 }))
    .map(([a, b]) => ({ lowest: Math.min(a, b), highest: Math.max(a, b) }));
  fc.assert(
    fc.property(pools, (pool) => {
      const ports = [...shuffledPorts(pool, randomInt)];
      const width = pool.highest - pool.lowest + 1;
      const first = ports.slice(0, width);
      expect(first.every((port) => port >= pool.lowest && port <= pool.highest)).toBe(true);
      expect(new Set(ports).size).toBe(ports.length);
      const below1024 = Math.max(0, Math.min(pool.highest, 1023) - pool.lowest + 1);
      expect(ports).toHaveLength(64512 + below1024);
    }),
    { numRuns: 20 },
  );
});

test('their order is another each time', () => {
  const take = () => {
    const ports = shuffledPorts({ lowest: 1024, highest: 65535 }, randomInt);
    return Array.from({ length: 20 }, () => ports.next().value);
  };
  expect(take()).not.toEqual(take());
});
