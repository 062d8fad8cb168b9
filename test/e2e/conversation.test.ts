import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.js';
import { type ProgramEvent, type RunningProgram, run, start, stopAll } from '../support/program.js';

let pair: Pair;

beforeEach(() => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

/** A message of the other's has come. */
function heard(program: RunningProgram, text: string): Promise<ProgramEvent> {
  return program.next((event) => event.event === 'message' && event.from === 'peer' && event.text === text);
}

/** Says it and waits until it is on the other's disk and shown there. */
async function tell(from: RunningProgram, to: RunningProgram, text: string): Promise<string> {
  from.send({ command: 'message', text });
  const { id } = await heard(to, text);
  await from.next((event) => event.event === 'delivered' && event.id === id);
  return String(id);
}

function textsFromPeer(program: RunningProgram): unknown[] {
  return program.events.filter(({ event, from }) => event === 'message' && from === 'peer').map(({ text }) => text);
}

/** Of a status: nobody has verified anybody, and messages stay. */
const untouched = { verified: false, disappearing: { seconds: 0, proposed: null, asked: null } };

describe('messages', () => {
  it('go both ways, in order, and come back as delivered and as read', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    const count = 200;
    const numbers = Array.from({ length: count }, (_, index) => String(index));
    for (const text of numbers) {
      alice.send({ command: 'message', text, ref: text });
      bob.send({ command: 'message', text });
    }
    for (const [from, to] of [[alice, bob] as const, [bob, alice] as const]) {
      await heard(to, String(count - 1));
      expect(textsFromPeer(to)).toEqual(numbers);
      const mine = from.events.filter((event) => event.event === 'message' && event.from === 'me');
      const theirs = to.events.filter((event) => event.event === 'message' && event.from === 'peer');
      expect(theirs.map(({ id }) => id)).toEqual(mine.map(({ id }) => id));
      expect(new Set(mine.map(({ id }) => id)).size).toBe(count);
      await from.next((event) => event.event === 'delivered' && event.id === mine.at(-1)?.id);
      expect(from.events.filter(({ event }) => event === 'delivered')).toEqual(
        mine.map(({ id }) => ({ event: 'delivered', id })),
      );
    }
    const [first] = bob.events.filter((event) => event.event === 'message' && event.from === 'peer');
    expect(first).toEqual({ event: 'message', id: first?.id, from: 'peer', text: '0', at: first?.at });
    expect(Math.abs(Date.parse(String(first?.at)) - Date.now())).toBeLessThan(60_000);
    expect(alice.events).toContainEqual({ ...first, from: 'me', ref: '0' });

    for (const { event, from, id } of bob.events) {
      if (event === 'message' && from === 'peer') bob.send({ command: 'read', id });
    }
    await alice.next((event) => event.event === 'read' && event.id === bob.events.findLast(isFromPeer)?.id);
    expect(alice.events.filter(({ event }) => event === 'read')).toHaveLength(count);
  });

  it('said while the other is away are kept, through a restart too, and come in order when they meet', async () => {
    await pair.startMediator();
    let alice = pair.startPeer('alice');
    expect(await alice.next('waiting')).toEqual({ event: 'waiting' });
    alice.send({ command: 'message', text: 'one' });
    alice.send({ command: 'status' });
    expect(await alice.next('status')).toEqual({
      event: 'status',
      state: 'waiting',
      path: null,
      transfers: [],
      outbox: 1,
      ...untouched,
    });
    await alice.stop('SIGKILL');
    alice = pair.startPeer('alice');
    alice.send({ command: 'message', text: 'two' });
    await alice.next('waiting');
    const bob = pair.startPeer('bob');
    await heard(bob, 'two');
    expect(textsFromPeer(bob)).toEqual(['one', 'two']);
    await alice.next('delivered');
    await alice.next('delivered');
    alice.send({ command: 'status' });
    const { path, ...status } = await alice.next('status');
    expect(status).toEqual({ event: 'status', state: 'connected', transfers: [], outbox: 0, ...untouched });
    expect(['tcp-direct', 'tcp-punch', 'udp-punch', 'relay']).toContain(path);
  });

  it('said twice with one ref are one message, on this run and on the next', async () => {
    await pair.startMediator();
    let { alice, bob } = await pair.meet();
    for (let time = 0; time < 2; time += 1) alice.send({ command: 'message', text: 'once', ref: 'r' });
    await heard(bob, 'once');
    await alice.next('delivered');
    await alice.stop('SIGKILL');
    alice = pair.startPeer('alice');
    alice.send({ command: 'message', text: 'once', ref: 'r' });
    alice.send({ command: 'message', text: 'last' });
    await heard(bob, 'last');
    expect(textsFromPeer(bob)).toEqual(['once', 'last']);
  });

  it('of any letters and of 64 KiB come as they were written; longer ones are refused', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    const odd = '文字 🏳️‍🌈 e\u0301 \u2028 \u0000 \x1b[2J\r\n\ttwo lines "quoted" \\ \u202e';
    await tell(alice, bob, odd);
    await tell(alice, bob, 'x'.repeat(64 * 1024));
    alice.send({ command: 'message', text: 'x'.repeat(64 * 1024 + 1) });
    expect(await alice.next('error')).toMatchObject({ code: 2, hint: expect.stringContaining('file') });
    alice.send({ command: 'message', text: '' });
    expect(await alice.next('error')).toMatchObject({ code: 2 });
    await tell(alice, bob, 'still here');
  });

  it('are found again by a later run, which is not told of them by itself', async () => {
    await pair.startMediator();
    let { alice, bob } = await pair.meet();
    await tell(alice, bob, 'a letter from alice');
    await tell(bob, alice, 'a letter from bob');
    for (const person of [alice, bob]) person.send({ command: 'quit' });
    await Promise.all([alice.exited, bob.exited]);

    ({ alice, bob } = await pair.meet());
    await tell(alice, bob, 'later');
    expect(textsFromPeer(bob)).toEqual(['later']);
    alice.send({ command: 'quit' });
    await alice.exited;

    const { stdout } = await run(pair.peerArguments('alice'), { input: '/search letter from\n' });
    expect(stdout).toMatch(/a letter from alice[\s\S]*a letter from bob/);
    expect(stdout).not.toContain('later');
  });
});

function isFromPeer({ event, from }: ProgramEvent): boolean {
  return event === 'message' && from === 'peer';
}

describe('the end', () => {
  it('by quit says bye last, ends with 0, and the other waits', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    alice.send({ command: 'quit' });
    alice.send({ command: 'message', text: 'too late' });
    expect(await alice.exited).toEqual({ code: 0, signal: null });
    expect(alice.events.at(-1)).toEqual({ event: 'bye' });
    expect(alice.stderr).toBe('');
    expect(await bob.next('disconnected')).toEqual({ event: 'disconnected', reason: 'the peer left' });
    await bob.next('waiting');
    expect(textsFromPeer(bob)).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s is the same, whatever the state', async (signal) => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    expect(await alice.stop(signal)).toEqual({ code: 0, signal: null });
    expect(alice.events.at(-1)).toEqual({ event: 'bye' });
    await bob.next('disconnected');
    await bob.next('waiting');
    expect(await bob.stop(signal)).toEqual({ code: 0, signal: null });
    expect(bob.events.at(-1)).toEqual({ event: 'bye' });
  });

  it('of the input ends the program with 0 once it was connected and all is delivered', async () => {
    await pair.startMediator();
    const alice = pair.startPeer('alice');
    alice.endInput('{"command":"message","text":"first"}\n{"command":"message","text":"last"}');
    await alice.next('waiting');
    const bob = pair.startPeer('bob');
    await heard(bob, 'last');
    expect(await alice.exited).toEqual({ code: 0, signal: null });
    expect(alice.events.filter(({ event }) => event === 'delivered')).toHaveLength(2);
    expect(alice.events.at(-1)).toEqual({ event: 'bye' });
    expect(textsFromPeer(bob)).toEqual(['first', 'last']);
  });

  it('of the input without a command waits for the peer, and then ends', async () => {
    await pair.startMediator();
    const alice = pair.startPeer('alice');
    alice.endInput();
    await alice.next('waiting');
    const bob = pair.startPeer('bob');
    await bob.next('connected');
    expect(await alice.exited).toEqual({ code: 0, signal: null });
    expect(alice.events.map(({ event }) => event)).toContain('connected');
  });

  it('of the input in line mode delivers what was typed', async () => {
    await pair.startMediator();
    const bob = pair.startPeer('bob');
    const { code, stdout, stderr } = await run(pair.peerArguments('alice'), { input: 'hello\n//slash\n' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Connected to');
    await heard(bob, '/slash');
    expect(textsFromPeer(bob)).toEqual(['hello', '/slash']);
  });
});

describe('the mediator', () => {
  it('may die: those who met talk on, new ones try again, and all meet when it is back', async () => {
    const mediator = await pair.startMediator();
    const { alice, bob } = await pair.meet('--paths', 'tcp-direct,relay');
    await Promise.all([alice, bob].map(whenDirect));
    await mediator.stop('SIGKILL');
    for (const person of [alice, bob]) expect(await person.next('offline')).toHaveProperty('reason');
    await tell(alice, bob, 'without a mediator');
    await tell(bob, alice, 'so be it');

    await bob.stop('SIGKILL');
    await alice.next('disconnected');
    alice.send({ command: 'message', text: 'are you there?' });
    const again = pair.startPeer('bob');
    await pair.startMediator();
    await heard(again, 'are you there?');
    await alice.next('online');
    await alice.next('connected');
    expect(alice.events.filter(({ event }) => event === 'disconnected')).toHaveLength(1);
  });

  it('that says goodbye is the same as one that dies', async () => {
    const mediator = await pair.startMediator();
    const { alice, bob } = await pair.meet();
    await Promise.all([alice, bob].map(whenDirect));
    expect(await mediator.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    await alice.next('offline');
    await tell(alice, bob, 'still here');
    await pair.startMediator();
    await alice.next((event) => event.event === 'online');
  });

  it('may be gone while the relay carries the session: both are back when it is', async () => {
    const mediator = await pair.startMediator();
    const { alice, bob } = await pair.meet('--paths', 'relay');
    await mediator.stop('SIGKILL');
    await alice.next('disconnected');
    alice.send({ command: 'message', text: 'kept' });
    await pair.startMediator();
    await heard(bob, 'kept');
    expect((await bob.next((event) => event.event === 'connected')).path).toBe('relay');
  });
});

async function whenDirect(person: RunningProgram): Promise<void> {
  if (person.events.some(({ path }) => path === 'tcp-direct')) return;
  await person.next((event) => event.path === 'tcp-direct');
}

describe('--timeout', () => {
  it('ends with 5 when the peer has not come', async () => {
    await pair.startMediator();
    const alice = pair.startPeer('alice', '--timeout', '3.5');
    expect(await alice.exited).toEqual({ code: 5, signal: null });
    expect(alice.events.map(({ event }) => event)).toEqual(['online', 'waiting', 'error', 'bye']);
    expect(alice.events.at(-2)).toMatchObject({ code: 5, message: expect.stringContaining('3.5 s') });
    expect(alice.stderr).toMatch(/^.+did not come within 3\.5 s.+\n$/);
  });

  it('ends with 3 when there is no mediator', async () => {
    await pair.startMediator().then((mediator) => mediator.stop());
    const { code, stderr } = await run([...pair.peerArguments('alice'), '--timeout', '1']);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^p2p: the mediator could not be reached within 1 s\n.*p2p-server/);
  });

  it('counts no more once they were connected', async () => {
    await pair.startMediator();
    const bob = pair.startPeer('bob');
    await bob.next('waiting');
    const alice = pair.startPeer('alice', '--timeout', '6');
    await alice.next('connected');
    await bob.stop();
    await alice.next('disconnected');
    const seconds = new Promise((resolve) => setTimeout(resolve, 6_500));
    expect(await Promise.race([alice.exited, seconds])).toBeUndefined();
  });
});

describe('one home', () => {
  it('holds one process for a peer: a second ends with 2, and a killed one does not count', async () => {
    await pair.startMediator();
    const first = pair.startPeer('alice');
    await first.next('waiting');
    const second = pair.startPeer('alice');
    expect(await second.exited).toEqual({ code: 2, signal: null });
    expect(second.events).toEqual([{ event: 'error', code: 2, message: expect.any(String), hint: expect.any(String) }]);
    first.send({ command: 'status' });
    expect((await first.next('status')).state).toBe('waiting');
    await first.stop('SIGKILL');
    await pair.startPeer('alice').next('waiting');
  });

  it('of another place takes the registration over: the former ends with 4 and stays away', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    const elsewhere = start([...pair.peerArguments('bob').slice(0, -1), pair.path('elsewhere'), '--json']);
    expect(await bob.exited).toEqual({ code: 4, signal: null });
    expect(bob.events.at(-2)).toMatchObject({ event: 'error', code: 4 });
    expect(bob.events.at(-1)).toEqual({ event: 'bye' });
    await elsewhere.next('connected');
    await tell(alice, elsewhere, 'you have moved');
    await tell(elsewhere, alice, 'so I have');
  });
});

describe('--paths', () => {
  it('relay stays on the relay, tcp-direct and tcp-punch never name it', async () => {
    await pair.startMediator();
    for (const path of ['relay', 'tcp-direct', 'tcp-punch']) {
      const { alice, bob } = await pair.meet('--paths', path);
      await tell(alice, bob, `by ${path}`);
      await tell(bob, alice, `and back`);
      for (const person of [alice, bob]) {
        const paths = person.events.filter(({ event }) => event === 'connected' || event === 'path');
        expect(paths.map((event) => event.path)).toEqual([path]);
        person.send({ command: 'quit' });
        await person.exited;
      }
    }
  });

  it('without a relay at the mediator meet directly, and never by the relay alone', async () => {
    await pair.startMediator('--no-relay');
    const { alice, bob } = await pair.meet();
    await tell(alice, bob, 'direct');
    for (const person of [alice, bob]) {
      expect(person.events.find(({ event }) => event === 'connected')?.path).not.toBe('relay');
      person.send({ command: 'quit' });
      await person.exited;
    }
    const lonely = ['alice', 'bob'] as const;
    const exits = lonely.map((name) => pair.startPeer(name, '--paths', 'relay', '--timeout', '4').exited);
    expect(await Promise.all(exits)).toEqual([
      { code: 5, signal: null },
      { code: 5, signal: null },
    ]);
  });
});
