import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Registry, type RegistryEffect, type RegistryEvent } from '../../src/server/registry.js';

/**
 * All orders of events: whatever peers do, what each connection is told depends only on who else of its pair is there.
 */
const PEOPLE = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(64));

type Step =
  | { do: 'join'; id: string; wantedId: string }
  | { do: 'leave' | 'meet'; which: number }
  | { do: 'pass'; ms: number };

const person = fc.constantFrom(...PEOPLE);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('join' as const), id: person, wantedId: person }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'meet' as const), which: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 100, 300, 5000) }) },
);
const steps = fc.array(step, { maxLength: 60 }).map((all) => all.filter((s) => s.do !== 'join' || s.id !== s.wantedId));

interface Registered {
  id: string;
  wantedId: string;
  last: string;
}

/** Plays the steps; `check` sees each event, who is registered after it, and its effects. */
function play(all: Step[], check: (effects: RegistryEffect[], there: Map<number, Registered>) => void): void {
  const registry = new Registry({ random: randomBytes, relayQuota: () => 0 });
  const there = new Map<number, Registered>();
  const ever: number[] = [];
  let wakes: Extract<RegistryEvent, { kind: 'woke' }>[] = [];
  let nowMs = 0;

  const handle = (event: RegistryEvent) => {
    const effects = registry.handle(event, nowMs);
    for (const effect of effects) {
      if (effect.kind === 'wake') wakes.push(effect.event);
      if (effect.kind === 'close') there.delete(effect.connection);
      const told = effect.kind === 'send' && there.get(effect.connection);
      if (effect.kind === 'send' && told) told.last = effect.message.kind;
    }
    check(effects, there);
  };

  for (const each of all) {
    if (each.do === 'join') {
      const connection = ever.length;
      ever.push(connection);
      const { id, wantedId } = each;
      there.set(connection, { id, wantedId, last: 'nothing' });
      handle({ kind: 'joined', registration: { connection, id, wantedId, reflexive: { address: '::1', port: 1 } } });
    } else if (each.do === 'pass') {
      nowMs += each.ms;
      const due = wakes.filter(({ atMs }) => atMs <= nowMs);
      wakes = wakes.filter(({ atMs }) => atMs > nowMs);
      for (const wake of due) handle(wake);
    } else if (ever.length > 0) {
      const connection = ever[each.which % ever.length] ?? 0;
      if (each.do === 'leave') there.delete(connection);
      handle(each.do === 'leave' ? { kind: 'left', connection } : { kind: 'meet', connection });
    }
  }
}

const isPair = (one: Registered, other: Registered) => one.id === other.wantedId && one.wantedId === other.id;

test('only those who are there are told anything, once replaced or gone never again', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const gone = new Set<number>();
      play(all, (effects, there) => {
        for (const effect of effects) {
          if (effect.kind === 'send') {
            expect(gone.has(effect.connection)).toBe(false);
            expect(there.has(effect.connection) || effect.message.kind === 'replaced').toBe(true);
          } else if (effect.kind === 'close') gone.add(effect.connection);
        }
      });
    }),
    { numRuns: 500 },
  );
});

test('introductions come in twos, to two who named each other, with one token that the relay has', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const tokens = new Set<string>();
      play(all, (effects, there) => {
        const introduced = effects.flatMap((effect) =>
          effect.kind === 'send' && effect.message.kind === 'introduction' ? [{ ...effect, ...effect.message }] : [],
        );
        const relays = effects.flatMap((effect) => (effect.kind === 'openRelay' ? [effect] : []));
        expect(introduced).toHaveLength(relays.length * 2);
        const [first, second] = introduced;
        if (!first || !second) return;
        const [one, other] = [there.get(first.connection), there.get(second.connection)];
        expect(one && other && isPair(one, other)).toBe(true);
        expect(first.token.equals(second.token) && relays[0]?.token.equals(first.token)).toBe(true);
        expect(new Set(relays[0]?.ids)).toEqual(new Set([one?.id, one?.wantedId]));
        expect(tokens.has(first.token.toString('hex'))).toBe(false);
        tokens.add(first.token.toString('hex'));
      });
    }),
    { numRuns: 500 },
  );
});

test('after every event, each knows whether its pair is complete, and each pair has one registration a side', () => {
  fc.assert(
    fc.property(steps, (all) => {
      play(all, (_, there) => {
        const everyone = [...there.values()];
        for (const one of everyone) {
          const complete = everyone.some((other) => isPair(one, other));
          expect(one.last).toBe(complete ? 'introduction' : 'waiting');
          expect(everyone.filter(({ id, wantedId }) => id === one.id && wantedId === one.wantedId)).toHaveLength(1);
        }
      });
    }),
    { numRuns: 500 },
  );
});

test('what one pair does has no effect on any other', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const pairs = new Map<number, string>();
      play(all, (effects, there) => {
        for (const [connection, { id, wantedId }] of there) pairs.set(connection, [id, wantedId].sort().join(' '));
        const touched = effects.flatMap((effect) => (effect.kind === 'send' ? [pairs.get(effect.connection)] : []));
        expect(new Set(touched).size).toBeLessThanOrEqual(1);
      });
    }),
    { numRuns: 300 },
  );
});
