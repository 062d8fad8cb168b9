import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkChoice } from '../../../src/peer/session/link-choice.js';
import { ProtocolError } from '../../../src/protocol/errors.js';
import type { Role } from '../../../src/protocol/transcripts.js';
import { type Happening, type PlannedLink, TwoChoices } from './two-choices.js';

const RELAY = 5;
const PUNCHED = 3;
const DIRECT = 2;
const ROLES: readonly Role[] = ['client', 'server'];

function planned(preference: number, more: Partial<PlannedLink> = {}): PlannedLink {
  return { preference, usable: true, generation: 1, runs: { client: 0, server: 0 }, ...more };
}

interface Budget {
  cuts: number;
  restarts: Role[];
}

/** Walks through every order in which things can happen; returns how many states there are and the first that is wrong. */
function explore(links: PlannedLink[], budget: Budget): { states: number; wrong: string | null } {
  const known = new Set<string>();
  const open: Happening[][] = [[]];
  for (let past = open.pop(); past; past = open.pop()) {
    const world = new TwoChoices(links, budget);
    const wrong = play(world, past);
    if (wrong) return { states: known.size, wrong };
    if (known.has(world.fingerprint)) continue;
    known.add(world.fingerprint);
    const due = world.due();
    const fault = due.length === 0 ? world.finalFault() : null;
    if (fault) return { states: known.size, wrong: `${fault} after ${JSON.stringify(past)}` };
    for (const next of [...due, ...world.mishaps()]) open.push([...past, next]);
  }
  return { states: known.size, wrong: null };
}

function play(world: TwoChoices, events: Happening[]): string | null {
  try {
    for (const event of events) world.happen(event);
  } catch (error) {
    return `${error} after ${JSON.stringify(events)}`;
  }
  const fault = world.fault();
  return fault && `${fault} after ${JSON.stringify(events)}`;
}

describe('both sides keep the same, best link in every order of events', () => {
  const cases: [string, PlannedLink[], Partial<Budget>][] = [
    ['a relay, a punched and a direct link', [planned(RELAY), planned(PUNCHED), planned(DIRECT)], {}],
    [
      'two direct links at once, one dialled by each, and a relay',
      [planned(DIRECT), planned(DIRECT), planned(RELAY)],
      {},
    ],
    [
      'two direct links and a relay for signalling alone, of which one may die at any time',
      [planned(RELAY, { usable: false }), planned(DIRECT), planned(DIRECT)],
      { cuts: 1 },
    ],
    ['a relay and a direct link, of which either may die at any time', [planned(RELAY), planned(DIRECT)], { cuts: 2 }],
    [
      'a second introduction, while the links of the first may die',
      [planned(DIRECT), planned(RELAY, { generation: 2 }), planned(DIRECT, { generation: 2 })],
      { cuts: 1 },
    ],
    ...ROLES.map((side): [string, PlannedLink[], Partial<Budget>] => [
      `the ${side} killed and started again`,
      [planned(DIRECT), planned(RELAY, secondRunOf(side)), planned(DIRECT, secondRunOf(side))],
      { restarts: [side] },
    ]),
    ...ROLES.map((side): [string, PlannedLink[], Partial<Budget>] => [
      `the ${side} started again after a failure of the power, with nothing but a relay for signalling after it`,
      [planned(DIRECT), planned(RELAY, { ...secondRunOf(side), usable: false })],
      { cuts: 2, restarts: [side] },
    ]),
  ];

  it.each(cases)('%s', (_, links, budget) => {
    const { states, wrong } = explore(links, { cuts: 0, restarts: [], ...budget });
    expect(wrong).toBeNull();
    expect(states).toBeGreaterThan(300);
  });

  it('many links of several introductions, with cuts and restarts, in random orders', () => {
    fc.assert(
      fc.property(fc.array(introduction, { minLength: 1, maxLength: 4 }), orders, (introductions, choices) => {
        const { links, restarts } = planOf(introductions);
        const world = new TwoChoices(links, { cuts: links.length, restarts });
        const past: Happening[] = [];
        let step = 0;
        for (let due = world.due(); due.length > 0; due = world.due()) {
          const possible = [...due, ...world.mishaps()];
          const next = possible[(choices[step] ?? 0) % (step < choices.length ? possible.length : due.length)];
          step += 1;
          if (!next) break;
          past.push(next);
          world.happen(next);
          expect(world.fault(), JSON.stringify(past)).toBeNull();
        }
        expect(world.finalFault(), JSON.stringify(past)).toBeNull();
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what the other side may not do', () => {
  const link = { preference: 1, usable: true, runId: 'r', generation: 1 };

  it('a server that activates breaks the protocol', () => {
    const client = new LinkChoice<typeof link>('client');
    client.added(link);
    expect(() => client.activate(link, 1)).toThrow(ProtocolError);
  });

  it('a client that confirms breaks the protocol', () => {
    const server = new LinkChoice<typeof link>('server');
    server.added(link);
    expect(() => server.activated(link, 1)).toThrow(ProtocolError);
  });

  it('a client that activates a link for signalling alone breaks the protocol', () => {
    const server = new LinkChoice<typeof link>('server');
    const signalling = { ...link, usable: false };
    server.added(signalling);
    expect(() => server.activate(signalling, 1)).toThrow(ProtocolError);
  });

  it('the server takes no epoch twice, and none from before', () => {
    const server = new LinkChoice<typeof link>('server');
    const other = { ...link };
    server.added(link);
    server.added(other);
    expect(server.activate(link, 7)).toEqual([{ effect: 'use', link, epoch: 7 }]);
    expect(server.activate(other, 7)).toEqual([]);
    expect(server.activate(other, 6)).toEqual([]);
    expect(server.active).toBe(link);
  });

  it('the client takes no confirmation but of what it activated last', () => {
    const client = new LinkChoice<typeof link>('client');
    expect(client.added(link)).toEqual([{ effect: 'activate', link, epoch: 1 }]);
    expect(client.activated(link, 2)).toEqual([]);
    expect(client.active).toBeNull();
    expect(client.activated(link, 1)).toEqual([{ effect: 'use', link, epoch: 1 }]);
    expect(client.activated(link, 1)).toEqual([]);
  });
});

describe('when the last link counts as lost', () => {
  const link = { preference: 1, usable: true, runId: 'r', generation: 1 };

  it('the end of a link for signalling alone is no loss', () => {
    const client = new LinkChoice<typeof link>('client');
    const signalling = { ...link, usable: false };
    client.added(signalling);
    expect(client.closed(signalling)).toEqual([]);
  });

  it('the end of the last usable link is one, though a link for signalling lives on', () => {
    const client = new LinkChoice<typeof link>('client');
    client.added({ ...link, usable: false });
    client.added(link);
    expect(client.closed(link)).toEqual([{ effect: 'lost' }]);
    expect(client.closed(link)).toEqual([]);
  });
});

function secondRunOf(restarted: Role): Partial<PlannedLink> {
  return { generation: 2, runs: { client: 0, server: 0, [restarted]: 1 } };
}

const orders = fc.array(fc.nat(), { maxLength: 60 });

/** Which side, if any, was started again before it, and the links that it leads to. */
const introduction = fc.record({
  restarted: fc.constantFrom<Role | null>(null, 'client', 'server'),
  links: fc.array(fc.record({ preference: fc.constantFrom(0, DIRECT, PUNCHED, RELAY), usable: fc.boolean() }), {
    minLength: 1,
    maxLength: 3,
  }),
});

type Introduction = typeof introduction extends fc.Arbitrary<infer T> ? T : never;

function planOf(introductions: Introduction[]): { links: PlannedLink[]; restarts: Role[] } {
  const runs = { client: 0, server: 0 };
  const restarts: Role[] = [];
  const links = introductions.flatMap(({ restarted, links }, index) => {
    if (restarted && index > 0) {
      runs[restarted] += 1;
      restarts.push(restarted);
    }
    // Only a relay can be for signalling alone.
    return links.map(({ preference, usable }) =>
      planned(preference, { usable: usable || preference !== RELAY, generation: index + 1, runs: { ...runs } }),
    );
  });
  return { links, restarts };
}
