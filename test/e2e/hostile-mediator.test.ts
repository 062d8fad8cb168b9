import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { TOKEN_BYTES } from '../../src/protocol/constants.js';
import { FrameType, writeFrameHeader } from '../../src/protocol/frames.js';
import type { Introduction } from '../../src/protocol/messages.js';
import { type Guest, LyingMediator } from '../support/lying-mediator.js';
import { Pair } from '../support/pair.js';
import { type RunningProgram, start, stopAll } from '../support/program.js';

/**
 * Two real programs, and between them a mediator that lies. It can keep them apart; it can make them do nothing else.
 * That it cannot bring the wrong person, nor change a word, is shown in third-party.test.ts.
 */

const pair = new Pair();
let mediator: LyingMediator;
beforeEach(async () => {
  mediator = await LyingMediator.start(pair);
});
afterEach(async () => {
  await stopAll();
  mediator.stop();
  for (const name of ['alice', 'bob']) rmSync(pair.path(name, 'home'), { recursive: true, force: true });
});
afterAll(() => pair.remove());

/** Whatever was done to them, they are the same processes and talk to each other. */
async function talk({ alice, bob }: Record<'alice' | 'bob', RunningProgram>): Promise<void> {
  for (const [from, to] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const text = `said by ${from.pid}`;
    from.send({ command: 'message', text });
    await to.next((event) => event.event === 'message' && event.from === 'peer' && event.text === text);
  }
  for (const { stderr } of [alice, bob]) expect(stderr).not.toContain('mistake in the program');
}

describe('what an introduction says', () => {
  const nowhere = { address: '127.0.0.2', port: 1 };
  const lies: [string, Partial<Omit<Introduction, 'kind'>>][] = [
    ['another address', { reflexive: nowhere }],
    ['an address that is none', { reflexive: { address: '\u001b[2J; rm -rf ~', port: 70_000 } }],
    ['an address without end', { reflexive: { address: 'f'.repeat(8_000), port: 0 } }],
    ['the address of everybody', { reflexive: { address: '255.255.255.255', port: 4_294_967_295 } }],
    ['a start in seven weeks', { startInMs: 4_294_967_295 }],
    [
      'probes to anywhere',
      { probes: ['', '0.0.0.0', 'fe80::1', 'x', '127.0.0.2'].map((address) => ({ address, port: 9 })) },
    ],
    ['more probes than there are places', { probes: Array.from({ length: 500 }, () => nowhere) }],
    ['a quota of one byte', { relayQuota: 1 }],
    ['a quota beyond all numbers', { relayQuota: Number.MAX_SAFE_INTEGER }],
  ];

  it.each(lies)('may be %s: they meet all the same, or when it tells the truth', async (_, lie) => {
    let introductions = 0;
    mediator.onPair = (one, other) => {
      introductions += 1;
      if (introductions > 2) mediator.introduce(one, other);
      else mediator.introduce(one, other, lie, lie);
    };
    await talk(await pair.meet());
  });

  it('may be mixed up with another pair’s: nobody is met by it, and they meet by the right one', async () => {
    let introductions = 0;
    mediator.onPair = (one, other) => {
      introductions += 1;
      const anothers = { token: randomBytes(TOKEN_BYTES) };
      mediator.introduce(one, other, {}, introductions > 1 ? {} : anothers);
    };
    await talk(await pair.meet());
    expect(introductions).toBeGreaterThan(1);
  });

  it('may begin at once for one and late for the other: they meet on a path of their own', async () => {
    mediator.onPair = (one, other) => mediator.introduce(one, other, { startInMs: 0 }, { startInMs: 2_000 });
    const people = await pair.meet();
    await talk(people);
    for (const { events } of Object.values(people)) {
      await expect
        .poll(() => events.some(({ path }) => String(path).startsWith('tcp')), { timeout: 20_000 })
        .toBe(true);
    }
  });

  it('may bring two pairs together crosswise, with one token: nobody talks with the wrong one', async () => {
    const others = new Pair();
    onTestFinished(() => others.remove());
    others.door = pair.door;
    const waiting = new Map<string, [Guest, Guest]>();
    let crossed = 0;
    mediator.onPair = (...guests) => {
      const [client, server] = guests.sort((a, b) => (a.id < b.id ? -1 : 1)) as [Guest, Guest];
      if (crossed >= 2) return mediator.introduce(client, server);
      waiting.set(client.id, [client, server]);
      const [one, other] = [...waiting.values()];
      if (!one || !other) return;
      crossed += 1;
      waiting.clear();
      const same = { introductionId: randomBytes(16).toString('hex'), token: randomBytes(TOKEN_BYTES) };
      mediator.introduce(one[0], other[1], same, same);
      mediator.introduce(other[0], one[1]);
    };
    const pairs = await Promise.all([pair.meet(), others.meet()]);
    expect(crossed).toBe(2);
    for (const people of pairs) await talk(people);
    for (const [at, { alice, bob }] of pairs.entries()) {
      const here = [pair, others][at] ?? pair;
      const metBy = ({ events }: RunningProgram) => new Set(events.flatMap(({ peer }) => peer ?? []));
      expect(metBy(alice)).toEqual(new Set([here.identity('bob').id]));
      expect(metBy(bob)).toEqual(new Set([here.identity('alice').id]));
    }
  });

  it('may be said again later: it leads nowhere, and breaks nothing', async () => {
    const people = { alice: pair.startPeer('alice'), bob: pair.startPeer('bob') };
    const old: (() => void)[] = [];
    mediator.onPair = (one, other) => {
      const same = { introductionId: randomBytes(16).toString('hex'), token: randomBytes(TOKEN_BYTES) };
      mediator.introduce(one, other, same, same);
      old.push(() => mediator.introduce(one, other, same, same));
    };
    await Promise.all([people.alice.next('connected'), people.bob.next('connected')]);
    for (let again = 0; again < 20; again++) old[0]?.();
    await talk(people);
  });
});

describe('what it relays', () => {
  const BEFORE_HARM = 12_000;
  /** Each gets a chunk of the pair's bytes and says what is passed on in its place. */
  const harms: [string, (bytes: Buffer) => Buffer[]][] = [
    ['drop', (bytes) => [bytes.subarray(0, -7)]],
    ['repeat', (bytes) => [bytes, bytes]],
    ['reorder', (bytes) => [bytes.subarray(bytes.length >> 1), bytes.subarray(0, bytes.length >> 1)]],
    ['add to', (bytes) => [randomBytes(40), bytes]],
    ['swallow', () => []],
  ];

  it.each(harms)('it may %s: each message comes once and in order', async (_, harm) => {
    let carried = 0;
    let harmed = 0;
    mediator.carry = (from: Socket, to: Socket) => {
      from.on('close', () => to.destroy());
      from.on('data', (bytes) => {
        carried += bytes.length;
        const isDue = carried > BEFORE_HARM * (harmed + 1) && harmed < 3;
        if (isDue) harmed += 1;
        for (const part of isDue ? harm(bytes) : [bytes]) to.write(part);
      });
    };
    const { alice, bob } = await pair.meet('--paths', 'relay');
    const texts = Array.from({ length: 60 }, (_, at) => `${at} ${'x'.repeat(500)}`);
    for (const text of texts) for (const person of [alice, bob]) person.send({ command: 'message', text });
    for (const person of [alice, bob]) {
      const isFromPeer = ({ event, from }: Record<string, unknown>) => event === 'message' && from === 'peer';
      await person.next((event) => isFromPeer(event) && event.text === texts.at(-1));
      expect(person.events.filter(isFromPeer).map(({ text }) => text)).toEqual(texts);
    }
    expect(harmed).toBeGreaterThan(0);
    await talk({ alice, bob });
  });
});

describe('what it says besides', () => {
  it.each<[string, (bytes: Buffer) => void]>([
    ['frames without end', (bytes) => writeFrameHeader(bytes, FrameType.message, 0xffffffff)],
    ['frames of no known type', (bytes) => bytes.fill(9)],
    ['noise', (bytes) => bytes.fill(0xff).fill(FrameType.message, 0, 1).fill(0, 1, 4)],
    ['data', (bytes) => writeFrameHeader(bytes, FrameType.data, 100)],
  ])('may be %s: they come back, and meet when it speaks properly', async (_, write) => {
    let visits = 0;
    mediator.onGuest = ({ secured }) => {
      visits += 1;
      const bytes = Buffer.alloc(2_000);
      write(bytes);
      if (visits <= 4) secured.write(bytes);
    };
    await talk(await pair.meet());
  });

  it('may be introductions and changes of mind without end: they are not followed', async () => {
    let floods = 0;
    mediator.onPair = (one, other) => {
      floods += 1;
      if (floods > 1) return mediator.introduce(one, other);
      for (let count = 0; count < 3_000; count++) {
        mediator.introduce(one, other);
        one.stream.send({ kind: 'waiting' });
        other.stream.send({ kind: 'waiting' });
      }
    };
    const people = await pair.meet();
    await talk(people);
    for (const { events } of Object.values(people)) {
      expect(events.filter(({ event }) => event === 'waiting').length).toBeLessThan(200);
    }
  });

  it('may not reach a terminal as it is', async () => {
    const evil = '\u001b]0;evil\u0007\u009b31m\u202e\r\b\u0000';
    let visits = 0;
    mediator.onGuest = ({ stream }) => {
      visits += 1;
      if (visits === 1) stream.send({ kind: 'goodbye', reason: `${evil} farewell` });
      else stream.send({ kind: 'refused', reason: evil });
    };
    const alice = start([...pair.peerArguments('alice'), '--plain', '--timeout', '3']);
    await alice.exited;
    expect(alice.stdout).toContain('farewell');
    expect(alice.stdout + alice.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/u);
  });
});
