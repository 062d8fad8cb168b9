import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Introduction, MediatorMessage } from '../../src/protocol/messages.js';
import {
  COALESCE_MS,
  MAX_REGISTRATIONS_PER_ID,
  Registry,
  type RegistryEffect,
  type RegistryEvent,
} from '../../src/server/registry.js';

const [ann, bob, cat] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

/** A registry with a clock, and what each connection was sent. */
class Desk {
  readonly registry: Registry;
  nowMs = 1000;
  readonly relays: Extract<RegistryEffect, { kind: 'openRelay' }>[] = [];
  readonly closed: number[] = [];
  #sent = new Map<number, MediatorMessage[]>();
  #wakes: Extract<RegistryEvent, { kind: 'woke' }>[] = [];

  constructor(relayQuota = 0) {
    this.registry = new Registry({ random: randomBytes, relayQuota: () => relayQuota });
  }

  join(connection: number, id: string, wantedId: string): void {
    const reflexive = { address: '192.0.2.1', port: 40000 + connection };
    this.handle({ kind: 'joined', registration: { connection, id, wantedId, reflexive } });
  }

  leave(connection: number): void {
    this.handle({ kind: 'left', connection });
  }

  meet(connection: number): void {
    this.handle({ kind: 'meet', connection });
  }

  /** Lets time pass, and wakes the registry when it asked to be woken. */
  pass(ms: number): void {
    const until = this.nowMs + ms;
    for (;;) {
      const [next] = this.#wakes.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs);
      if (!next) break;
      this.#wakes = this.#wakes.filter((wake) => wake !== next);
      this.nowMs = next.atMs;
      this.handle(next);
    }
    this.nowMs = until;
  }

  handle(event: RegistryEvent): void {
    for (const effect of this.registry.handle(event, this.nowMs)) {
      if (effect.kind === 'send') this.#sent.set(effect.connection, [...this.of(effect.connection), effect.message]);
      else if (effect.kind === 'close') this.closed.push(effect.connection);
      else if (effect.kind === 'openRelay') this.relays.push(effect);
      else this.#wakes.push(effect.event);
    }
  }

  of(connection: number): MediatorMessage[] {
    return this.#sent.get(connection) ?? [];
  }

  /** What the connection was sent since last asked. */
  news(connection: number): string[] {
    const kinds = this.of(connection).map(({ kind }) => kind);
    this.#sent.delete(connection);
    return kinds;
  }
}

function introductionOf(desk: Desk, connection: number): Introduction {
  const found = desk.of(connection).findLast((message) => message.kind === 'introduction');
  if (!found) throw new Error('no introduction');
  return found;
}

describe('an introduction', () => {
  test('comes to both as soon as the second has named the first', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    expect(desk.news(1)).toEqual(['waiting']);
    desk.join(2, bob, ann);
    expect([desk.news(1), desk.news(2)]).toEqual([['introduction'], ['introduction']]);
  });

  test('does not come to one who was not named back, and says nothing to the one who was named', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, cat);
    desk.join(3, cat, ann);
    for (const connection of [1, 2, 3]) expect(desk.news(connection)).toEqual(['waiting']);
    expect(desk.relays).toEqual([]);
  });

  test('gives both the same id and token, each its own address, and opens the relay before either knows', () => {
    const desk = new Desk(4321);
    desk.join(1, ann, bob);
    const joined = { connection: 2, id: bob, wantedId: ann, reflexive: { address: '198.51.100.2', port: 2 } };
    const effects = desk.registry.handle({ kind: 'joined', registration: joined }, 0);
    expect(effects.map(({ kind }) => kind)).toEqual(['openRelay', 'send', 'send']);
    const [relay, ...sends] = effects;
    const [mine, theirs] = sends.map((send) => (send.kind === 'send' ? send.message : null)) as Introduction[];
    expect(mine).toEqual({ ...theirs, reflexive: { address: '198.51.100.2', port: 2 }, probeKey: mine?.probeKey });
    expect(mine?.probeKey).toHaveLength(32);
    expect(theirs?.probeKey).not.toEqual(mine?.probeKey);
    expect(theirs?.reflexive).toEqual({ address: '192.0.2.1', port: 40001 });
    expect(mine).toMatchObject({ startInMs: 100, relayQuota: 4321 });
    expect(mine?.token).toHaveLength(32);
    expect(mine?.introductionId).toMatch(/^[0-9a-f]{32}$/);
    expect(relay).toMatchObject({ token: mine?.token });
    expect(relay?.kind === 'openRelay' && new Set(relay.ids)).toEqual(new Set([ann, bob]));
  });

  test('has a new id and token each time', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, ann);
    const first = introductionOf(desk, 1);
    desk.pass(1000);
    desk.meet(2);
    const second = introductionOf(desk, 1);
    expect(second.introductionId).not.toBe(first.introductionId);
    expect(second.token.equals(first.token)).toBe(false);
  });
});

describe('leaving', () => {
  test('is told to the one who was introduced, who is introduced again when the other comes back', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, ann);
    desk.news(1);
    desk.leave(2);
    expect(desk.news(1)).toEqual(['waiting']);
    desk.join(3, bob, ann);
    expect(desk.news(1)).toEqual(['introduction']);
  });

  test('in one pair is not seen in another of the same person', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, ann);
    desk.join(3, ann, cat);
    desk.join(4, cat, ann);
    for (const connection of [1, 2, 3, 4]) desk.news(connection);
    desk.leave(3);
    expect([desk.news(1), desk.news(2), desk.news(4)]).toEqual([[], [], ['waiting']]);
    desk.pass(COALESCE_MS);
    desk.meet(1);
    expect(desk.news(2)).toEqual(['introduction']);
  });

  test('twice, or without ever having joined, changes nothing', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, ann);
    desk.leave(2);
    desk.news(1);
    desk.leave(2);
    desk.leave(77);
    expect(desk.news(1)).toEqual([]);
  });
});

describe('a newer registration of the same pair', () => {
  test('takes the place of the older, which is told, closed, and told no more', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, ann);
    desk.news(1);
    desk.news(2);
    desk.join(3, ann, bob);
    expect(desk.news(1)).toEqual(['replaced']);
    expect(desk.closed).toEqual([1]);
    expect([desk.news(2), desk.news(3)]).toEqual([['introduction'], ['introduction']]);
    desk.leave(1);
    desk.meet(1);
    desk.pass(5000);
    expect([desk.news(1), desk.news(2), desk.news(3)]).toEqual([[], [], []]);
  });

  test('leaves those with other wanted peers alone', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, ann, cat);
    expect(desk.closed).toEqual([]);
    expect(desk.registry.connectionsOf(ann)).toEqual([1, 2]);
  });
});

describe('asking to meet', () => {
  function introducedPair(): Desk {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.join(2, bob, ann);
    desk.news(1);
    desk.news(2);
    return desk;
  }

  /** The next introduction has to wait. */
  function weariedPair(): Desk {
    const desk = introducedPair();
    for (let times = 0; times < 20; times++) {
      desk.pass(COALESCE_MS);
      desk.meet(1);
    }
    desk.pass(COALESCE_MS);
    desk.news(1);
    desk.news(2);
    return desk;
  }

  test('introduces again at once when the last time was long ago', () => {
    const desk = introducedPair();
    desk.pass(COALESCE_MS);
    desk.meet(1);
    expect([desk.news(1), desk.news(2)]).toEqual([['introduction'], ['introduction']]);
  });

  test('right after an introduction is answered by it', () => {
    const desk = introducedPair();
    desk.pass(COALESCE_MS - 1);
    for (let times = 0; times < 5; times++) {
      desk.meet(1);
      desk.meet(2);
    }
    desk.pass(60_000);
    expect([desk.news(1), desk.news(2)]).toEqual([[], []]);
  });

  test('without the other there says nothing', () => {
    const desk = new Desk();
    desk.join(1, ann, bob);
    desk.news(1);
    desk.meet(1);
    desk.pass(5000);
    expect(desk.news(1)).toEqual([]);
  });

  test('is forgotten if the other leaves before it is due', () => {
    const desk = weariedPair();
    desk.meet(1);
    desk.leave(2);
    desk.pass(5000);
    expect(desk.news(1)).toEqual(['waiting']);
  });

  test('is answered by the introduction that a return brings, and not by a second one', () => {
    const desk = weariedPair();
    desk.meet(1);
    desk.leave(2);
    desk.pass(100);
    desk.join(3, bob, ann);
    desk.pass(5000);
    expect(desk.news(1)).toEqual(['waiting', 'introduction']);
  });

  test('without end leads to ten introductions at the pace of the coalescing, then to one a second', () => {
    const desk = introducedPair();
    for (let ms = 0; ms < 60_000; ms += 10) {
      desk.meet(1);
      desk.pass(10);
    }
    const count = desk.news(2).length;
    expect(count).toBeGreaterThan(60);
    expect(count).toBeLessThan(75);
    desk.pass(1000);
    desk.news(2);
    desk.pass(60_000);
    expect(desk.news(2)).toEqual([]);
  });

  test('of one pair does not slow another down', () => {
    const desk = introducedPair();
    desk.join(3, ann, cat);
    desk.join(4, cat, ann);
    desk.news(4);
    for (let ms = 0; ms < 20_000; ms += 100) {
      desk.meet(1);
      desk.pass(100);
    }
    desk.meet(3);
    expect(desk.news(4)).toEqual(['introduction']);
  });
});

test('one key cannot hold registrations without end, and those it has stay', () => {
  const desk = new Desk();
  const wanted = (index: number) => index.toString(16).padStart(64, '0');
  for (let index = 0; index <= MAX_REGISTRATIONS_PER_ID; index++) desk.join(index, ann, wanted(index));
  expect(desk.closed).toEqual([MAX_REGISTRATIONS_PER_ID]);
  expect(desk.news(MAX_REGISTRATIONS_PER_ID)).toEqual(['goodbye']);
  expect(desk.registry.connectionsOf(ann)).toHaveLength(MAX_REGISTRATIONS_PER_ID);
  desk.join(1000, ann, wanted(5));
  expect(desk.news(5)).toEqual(['waiting', 'replaced']);
  desk.leave(7);
  desk.join(1001, ann, wanted(9999));
  expect(desk.news(1001)).toEqual(['waiting']);
});
