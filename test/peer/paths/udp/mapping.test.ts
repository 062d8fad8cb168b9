import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALL_PORTS, classifyMapping } from '../../../../src/peer/paths/udp/mapping.js';

const port = fc.integer({ min: 1024, max: 65535 });

test('nothing is known of a gateway from one answer, or none', () => {
  expect(classifyMapping([])).toEqual({ kind: 'unknown' });
  expect(classifyMapping([40000])).toEqual({ kind: 'unknown' });
});

test('a gateway that shows one port to all is fixed', () => {
  fc.assert(
    fc.property(port, fc.integer({ min: 2, max: 20 }), (only, count) => {
      expect(classifyMapping(Array(count).fill(only))).toEqual({ kind: 'fixed' });
    }),
  );
});

describe('a gateway that counts is sequential', () => {
  test('up or down, by any small step', () => {
    const step = fc.integer({ min: -8, max: 8 }).filter((s) => s !== 0);
    fc.assert(
      fc.property(fc.integer({ min: 2000, max: 60000 }), step, fc.integer({ min: 2, max: 18 }), (first, by, count) => {
        const seen = Array.from({ length: count }, (_, at) => first + at * by);
        expect(classifyMapping(seen)).toEqual({ kind: 'sequential', step: by, last: seen.at(-1) });
      }),
    );
  });

  test('also if others take ports meanwhile', () => {
    const seen = [40000, 40001, 40004, 40005, 40006, 40009, 40010];
    expect(classifyMapping(seen)).toEqual({ kind: 'sequential', step: 1, last: 40010 });
  });

  test('also if its range ends meanwhile', () => {
    const seen = [41020, 41021, 41022, 41023, 40000, 40001, 40002];
    expect(classifyMapping(seen)).toEqual({ kind: 'sequential', step: 1, last: 40002 });
  });

  test('also if it counts addresses and not their ports', () => {
    expect(classifyMapping([50, 50, 51, 52, 52, 53])).toEqual({ kind: 'sequential', step: 1, last: 53 });
  });
});

describe('a gateway that shows any port is random', () => {
  test('from all ports, if those seen lie anywhere', () => {
    const seen = [52011, 1733, 30921, 9000, 61200, 44444, 23456, 12345, 65001, 38111, 27182, 31415, 57721];
    expect(classifyMapping(seen)).toEqual({ kind: 'random', pool: ALL_PORTS });
  });

  test('from all ports, if too few were seen to tell', () => {
    expect(classifyMapping([40000, 40500])).toEqual({ kind: 'random', pool: ALL_PORTS });
  });

  test('from a part of all ports, if those seen lie close together: it holds nearly the whole range', () => {
    const inPool = fc.array(fc.integer({ min: 40000, max: 41023 }), { minLength: 18, maxLength: 18 });
    let covered = 0;
    const runs = 200;
    fc.assert(
      fc.property(inPool, (seen) => {
        const mapping = classifyMapping(seen);
        fc.pre(mapping.kind === 'random' && mapping.pool !== ALL_PORTS);
        const { lowest, highest } = mapping.kind === 'random' ? mapping.pool : ALL_PORTS;
        covered += Math.max(0, Math.min(highest, 41023) - Math.max(lowest, 40000) + 1) / 1024;
      }),
      { numRuns: runs },
    );
    expect(covered / runs).toBeGreaterThan(0.8);
  });
});

test('whatever ports were told, the answer is about ports that exist', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 65535 }), { maxLength: 64 }), (seen) => {
      const mapping = classifyMapping(seen);
      if (mapping.kind !== 'random') return;
      expect(mapping.pool.lowest).toBeGreaterThanOrEqual(1);
      expect(mapping.pool.highest).toBeLessThanOrEqual(65535);
      expect(mapping.pool.lowest).toBeLessThanOrEqual(mapping.pool.highest);
    }),
  );
});
