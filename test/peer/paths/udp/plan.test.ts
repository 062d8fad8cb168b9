import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALL_PORTS, type Mapping } from '../../../../src/peer/paths/udp/mapping.js';
import { type Move, planMoves } from '../../../../src/peer/paths/udp/plan.js';

const unknown: Mapping = { kind: 'unknown' };
const fixed: Mapping = { kind: 'fixed' };
const sequential: Mapping = { kind: 'sequential', step: 1, last: 40000 };
const random: Mapping = { kind: 'random', pool: ALL_PORTS };
const pooled: Mapping = { kind: 'random', pool: { lowest: 40000, highest: 41023 } };

const kindsOf = (moves: Move[]) => moves.map(({ kind }) => kind).sort();
const plan = (mine: Mapping, theirs: Mapping) => kindsOf(planMoves(mine, theirs, 'client'));

test.each([
  ['one port for all, both', fixed, fixed, ['plain'], ['plain']],
  ['a gateway of which nothing is known', unknown, random, ['plain'], ['plain']],
  ['a gateway that counts', fixed, sequential, ['plain', 'predict', 'spray'], ['many', 'plain']],
  ['a gateway that chooses at random: birthday', fixed, random, ['plain', 'spray'], ['many', 'plain']],
  ['two that count: in step', sequential, sequential, ['cross', 'plain', 'walk'], ['cross', 'plain', 'walk']],
  ['two that choose at random among few ports', pooled, pooled, ['cross', 'plain'], ['cross', 'plain']],
  ['two that choose at random among all: not practical', random, random, ['plain'], ['plain']],
  ['one that counts and one that chooses among few', sequential, pooled, ['cross', 'plain'], ['cross', 'plain']],
])('%s', (_, one, other, ones, others) => {
  expect(plan(one, other)).toEqual(ones);
  expect(plan(other, one)).toEqual(others);
});

test('the two plans always fit each other', () => {
  const port = fc.integer({ min: 1, max: 65535 });
  const mapping: fc.Arbitrary<Mapping> = fc.oneof(
    fc.constant(unknown),
    fc.constant(fixed),
    fc.record({
      kind: fc.constant('sequential' as const),
      step: fc.integer({ min: -8, max: 8 }).filter((step) => step !== 0),
      last: port,
    }),
    fc.tuple(port, port).map(([a, b]) => ({
      kind: 'random' as const,
      pool: { lowest: Math.min(a, b), highest: Math.max(a, b) },
    })),
  );
  const answers = { spray: 'many', many: 'spray', walk: 'walk', cross: 'cross' } as const;
  fc.assert(
    fc.property(mapping, mapping, (one, other) => {
      const ones = planMoves(one, other, 'client');
      const others = planMoves(other, one, 'server');
      expect(ones.some(({ kind }) => kind === 'plain')).toBe(true);
      for (const { kind, atMs } of ones) {
        if (!(kind in answers)) continue;
        const answer = others.find((move) => move.kind === answers[kind as keyof typeof answers]);
        expect(answer?.atMs).toBe(atMs);
      }
    }),
    { numRuns: 500 },
  );
});

test('ports are predicted from the last one seen on', () => {
  const predict = planMoves(fixed, sequential, 'client').find((move) => move.kind === 'predict');
  expect(predict?.kind === 'predict' && predict.ports.slice(0, 3)).toEqual([40001, 40002, 40003]);
});

describe('of two gateways that count', () => {
  const walk = (theirs: Mapping, role: 'client' | 'server') => {
    const move = planMoves(sequential, theirs, role).find(({ kind }) => kind === 'walk');
    return move?.kind === 'walk' ? move.ports : [];
  };
  const last = { client: 30000, server: 50000 };

  /** Does a packet of each side go where the other's, which goes to it, comes from? */
  function meet(step: number, skipped: { client: number; server: number }): boolean {
    const clients = walk({ kind: 'sequential', step, last: last.server }, 'client');
    const servers = walk({ kind: 'sequential', step, last: last.client }, 'server');
    return clients.some((to, j) => {
      const from = last.client + step * (skipped.client + j + 1);
      const i = servers.indexOf(from);
      return i >= 0 && to === last.server + step * (skipped.server + i + 1);
    });
  }

  test.each([1, -1, 2])('packets meet, whether or not others took a few ports meanwhile (step %i)', (step) => {
    for (const [client, server] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [2, 1],
      [0, 3],
    ] as const)
      expect(meet(step, { client, server })).toBe(true);
  });

  test('they do not if others took many', () => {
    expect(meet(1, { client: 20, server: 20 })).toBe(false);
  });
});
