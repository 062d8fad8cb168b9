import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExitCode, UserError } from '../../../src/protocol/errors.js';
import { openSockets } from '../../support/streams.js';
import { HandDrivenPeer } from './hand-driven-peer.js';
import { type Person, Talk, TwoSessions, type Wire } from './two-sessions.js';

let both: TwoSessions;
let small: Person;
let great: Person;
beforeEach(() => {
  both = new TwoSessions();
  small = both.small;
  great = both.great;
});
afterEach(() => both.stop());

const socketsBefore = openSockets();

const numbered = (count: number, words: string) => Array.from({ length: count }, (_, at) => `${words} ${at}`);

describe('messages', () => {
  it('arrive both ways, in order, and each is told to be delivered to its writer', async () => {
    const mine = numbered(5, 'from the small');
    const theirs = numbered(5, 'from the great');
    const ids = mine.map((text) => small.session.message(text));
    await both.link();
    for (const text of theirs) great.session.message(text);
    await great.until(() => great.heard().length === 5);
    await small.until(() => small.heard().length === 5);
    expect(great.heard()).toEqual(mine);
    expect(small.heard()).toEqual(theirs);
    await small.until(() => small.all('delivered').length === 5);
    expect(small.all('delivered').map(({ id }) => id)).toEqual(ids);
    const received = great.all('message').filter(({ from }) => from === 'peer');
    expect(received.map(({ id }) => id)).toEqual(ids);
  });

  it('are told to be read when the other person has read them, once', async () => {
    await both.link();
    const id = small.session.message('read me');
    await great.event('message');
    great.session.read([id]);
    great.session.read([id]);
    great.session.message('done');
    await small.event('message', ({ text }) => text === 'done');
    expect(small.all('read')).toEqual([{ event: 'read', id }]);
  });

  it('that were read together are all told to be read', async () => {
    await both.link();
    const ids = ['one', 'two', 'three'].map((text) => small.session.message(text));
    await great.until(() => great.heard().length === ids.length);
    great.session.read(ids);
    await small.until(() => small.all('read').length === ids.length);
    expect(small.all('read').map(({ id }) => id)).toEqual(ids);
  });

  it('that were read while there was no link are told to be read over the next one', async () => {
    const wire = await both.link();
    const id = small.session.message('read me');
    await great.event('message');
    wire.cut();
    await great.event('disconnected');
    great.session.read([id]);
    await both.link();
    expect(await small.event('read')).toEqual({ event: 'read', id });
  });

  it('with the same ref are one, also after a restart', async () => {
    const id = small.session.message('once', 'a');
    expect(small.session.message('once', 'a')).toBe(id);
    await small.restart();
    expect(small.session.message('once', 'a')).toBe(id);
    expect(small.session.message('other', 'b')).not.toBe(id);
    await both.link();
    await great.until(() => great.heard().length === 2);
    expect(great.heard()).toEqual(['once', 'other']);
    const told = small.all('message').map(({ text, ref, replayed }) => ({ text, ref, replayed }));
    expect(told).toEqual([
      { text: 'once', ref: 'a' },
      { text: 'once', ref: 'a', replayed: true },
      { text: 'other', ref: 'b' },
    ]);
  });

  it('whose ref is repeated after a restart tell what became of them meanwhile', async () => {
    const wire = await both.link();
    const id = small.session.message('heard', 'a');
    await small.event('delivered');
    wire.cut();
    await small.restart();
    small.session.message('heard', 'a');
    expect(small.all('delivered')).toEqual([
      { event: 'delivered', id },
      { event: 'delivered', id },
    ]);
  });

  it.each(['', 'x'.repeat(64 * 1024 + 1), 'ä'.repeat(32 * 1024 + 1)])(
    'are refused here if nobody would take them',
    (text) => {
      expect(() => small.session.message(text)).toThrow(UserError);
      expect(small.events).toEqual([]);
      expect(small.journal.outboxSize()).toBe(0);
    },
  );

  it.each(['x'.repeat(64 * 1024), '🦊'.repeat(16 * 1024), 'NUL \0, ESC \u001b, lone \ud800 half'])(
    'of the longest kind, or the strangest, arrive',
    async (text) => {
      await both.link();
      small.session.message(text);
      expect((await great.event('message')).text).toBe(text.toWellFormed());
    },
  );

  it('written in numbers while nobody is there arrive in order', async () => {
    const texts = numbered(150, 'meanwhile');
    for (const text of texts) small.session.message(text);
    await both.link();
    await great.until(() => great.heard().length === texts.length);
    expect(great.heard()).toEqual(texts);
    await small.allDelivered();
  });
});

describe('after a restart', () => {
  it('what was told and shown does not come again', async () => {
    await both.link();
    small.session.message('hello');
    await great.event('message');
    await great.restart();
    expect(great.all('message')).toHaveLength(1);
    await both.link();
    small.session.message('again');
    await great.until(() => great.heard().length === 2);
  });

  it('what a slow reader had not taken when it was killed comes again', async () => {
    await both.link();
    const waiting: (() => void)[] = [];
    great.whenShown = (then) => void waiting.push(then);
    const id = small.session.message('hello');
    await small.event('delivered');
    await great.crash();
    for (const then of waiting.splice(0, 1)) then();
    expect(great.all('message').map((message) => ({ id: message.id, replayed: message.replayed }))).toEqual([
      { id, replayed: undefined },
      { id, replayed: true },
    ]);
    for (const then of waiting) then();
    await great.crash();
    expect(great.all('message')).toHaveLength(2);
  });

  it('what was written down and not marked as shown comes again, with the same id, marked as replayed', async () => {
    await both.link();
    // Killed in the very moment in which the face is told.
    const crashed = new Promise<void>((resolve) => {
      great.onEvent = (event) => {
        if (event.event !== 'message') return;
        great.onEvent = () => {};
        resolve(great.crash());
      };
    });
    const id = small.session.message('hello');
    await crashed;
    expect(great.all('message').map((message) => ({ id: message.id, replayed: message.replayed }))).toEqual([
      { id, replayed: undefined },
      { id, replayed: true },
    ]);
    await both.link();
    await small.event('delivered');
    expect(great.all('message')).toHaveLength(2);
  });

  it('at any moment, of either, nothing is lost or doubled', async () => {
    both.mendAutomatically();
    const talk = new Talk(both);
    for (let round = 0; round < 12; round++) {
      talk.say(1);
      await both.link();
      talk.say(2);
      const person = round % 2 === 0 ? small : great;
      // After more and more events of this link.
      const until = person.events.length + (round % 6);
      await person.until(() => person.events.length >= until);
      await person.crash();
    }
    await both.link();
    await talk.end();
  });

  it('a face sees one connection end and another begin', async () => {
    await both.link();
    await great.event('connected');
    await small.crash();
    await great.event('disconnected');
    await both.link();
    await great.until(() => great.all('connected').length === 2);
    expect(great.all('path')).toEqual([]);
  });

  it('with a journal from a backup, what is written then arrives, and nothing is taken for what was before', async () => {
    await both.link();
    small.session.message('before');
    await small.event('delivered');
    small.backUp();
    small.session.message('after the backup');
    await small.until(() => small.all('delivered').length === 2);
    both.mendAutomatically();
    await small.restoreBackup();
    small.session.message('with the backup');
    great.session.message('to the backup');
    await both.link();
    await great.event('message', ({ text }) => text === 'with the backup');
    await small.event('message', ({ text }) => text === 'to the backup');
    expect(great.heard()).toEqual(['before', 'after the backup', 'with the backup']);
    await small.allDelivered();
  });
});

describe('cuts', () => {
  /** What ML-KEM-768 (FIPS 203) adds to a handshake where the runtime has it: a key of 1184 bytes, a ciphertext of 1088. */
  const hybrid = Number.parseFloat(process.versions.openssl) >= 3.5 ? 1184 + 1088 : 0;

  it('at every point of a link’s life lose nothing and double nothing', async () => {
    const talk = new Talk(both);
    // Few in the handshake, which is done after some 3,600 bytes.
    const afterwards = Array.from({ length: 30 }, (_, at) => hybrid + 3_500 + 123 * at);
    const points = [0, 1, 500, 1_500, 2_500, hybrid + 3_300, ...afterwards];
    for (const carries of points) {
      talk.say(1);
      const wire = await both.link({ carries });
      talk.say(1);
      await Promise.race([wire.closed, small.until(() => talk.isOver()), great.until(() => talk.isOver())]);
      wire.cut();
      await wire.closed;
    }
    expect(small.all('connected').length).toBeGreaterThan(20);
    await both.link();
    await talk.end();
  });

  it('that only one side has noticed: the next introduction finds the link dead within seconds', async () => {
    const frozen = await both.link({ path: 'relay' });
    await great.event('connected');
    await small.event('connected');
    frozen.freeze();
    frozen.ends[1].destroy();
    await great.event('disconnected');
    great.session.message('are you there?');
    await both.link({ path: 'relay' });
    await small.event('message');
    expect(small.all('path')).toEqual([expect.objectContaining({ why: 'the path before it was lost' })]);
  });

  it('of a link that dies while the session moves to it: the one before goes on', async () => {
    await both.link({ path: 'relay', generation: 1 });
    await Promise.all([small.event('connected'), great.event('connected')]);
    const talk = new Talk(both);
    // From enough for the handshake to enough for the move.
    for (let carries = hybrid + 3_300; carries < hybrid + 5_000; carries += 20) {
      const wire = await both.link({ carries, generation: 1 });
      talk.say(1);
      await wire.closed;
      if (small.all('path').some(({ path }) => path === 'tcp-direct')) break;
      await talk.end();
    }
    // The server had gone along, and came back.
    expect(great.all('path').filter(({ path }) => path === 'relay').length).toBeGreaterThan(0);
    both.mendAutomatically();
    await both.link();
    await talk.end();
  });
});

describe('moves', () => {
  const betterAndBetter = ['relay', 'udp-punch', 'tcp-punch', 'tcp-direct'] as const;

  it('go to the better path, tell why, and end the worse one, while both go on talking', async () => {
    const talk = new Talk(both);
    const wires: Wire[] = [];
    for (const path of betterAndBetter) {
      talk.say(8);
      wires.push(await both.link({ path, generation: 1 }));
      talk.say(8);
      await small.until(() => small.session.active?.link.facts.path === path);
      await great.until(() => great.session.active?.link.facts.path === path);
    }
    await talk.end();
    await Promise.all(wires.slice(0, -1).map(({ closed }) => closed));
    for (const person of [small, great]) {
      expect(person.all('connected').map(({ path }) => path)).toEqual(['relay']);
      expect(person.all('path').map(({ path, why }) => `${path}: ${why}`)).toEqual([
        'udp-punch: udp-punch is better than relay',
        'tcp-punch: tcp-punch is better than udp-punch',
        'tcp-direct: tcp-direct is better than tcp-punch',
      ]);
      expect(person.all('disconnected')).toEqual([]);
    }
  });

  it('do not happen to a path that is no better: that link ends', async () => {
    const first = await both.link({ path: 'tcp-direct', generation: 1 });
    await small.event('connected');
    const second = await both.link({ path: 'tcp-direct', generation: 1 });
    const third = await both.link({ path: 'relay', generation: 1 });
    await Promise.all([second.closed, third.closed]);
    expect(small.all('path')).toEqual([]);
    first.cut();
  });

  it('do not happen to a newer introduction’s link while the old one is alive: the new one ends', async () => {
    await both.link({ path: 'tcp-direct', generation: 1 });
    await small.event('connected');
    const newer = await both.link({ path: 'tcp-direct', generation: 2 });
    await newer.closed;
    expect([...small.all('path'), ...small.all('disconnected')]).toEqual([]);
  });

  it('never happen to a link for signalling alone, and its end is not noticed', async () => {
    const signalling = await both.link({ path: 'relay', signallingOnly: true, generation: 1 });
    small.session.message('not over this');
    signalling.cut();
    await signalling.closed;
    expect(great.events).toEqual([]);
    expect(small.all('disconnected')).toEqual([]);
    await both.link({ path: 'tcp-direct', generation: 1 });
    await great.event('message');
  });

  it('back and forth under load lose nothing and double nothing', async () => {
    both.mendAutomatically();
    const talk = new Talk(both);
    let wires: Wire[] = [];
    for (let round = 1; round <= 6; round++) {
      talk.say(6);
      const opened = betterAndBetter.map((path) => both.link({ path, generation: round }));
      talk.say(6);
      const next = await Promise.all(opened);
      for (const wire of wires) wire.cut();
      wires = next;
      talk.say(6);
    }
    await talk.end();
  });
});

describe('a disk that is full', () => {
  const full = new UserError(ExitCode.usage, 'the disk is full', 'Free some space.');

  it.each(['small', 'great'] as const)(
    'when a link begins at the %s one’s ends that link, and the next one is tried',
    async (name) => {
      const person = both[name];
      vi.spyOn(person.journal, 'reconcile').mockImplementationOnce(() => {
        throw full;
      });
      both.mendAutomatically();
      small.session.message('patience');
      await both.link();
      expect(await person.event('error')).toMatchObject({
        code: full.exitCode,
        message: full.message,
        hint: full.hint,
      });
      await great.event('message');
    },
  );

  it('when a message comes is told; without an acknowledgement the message comes again over the next link', async () => {
    both.mendAutomatically();
    await both.link();
    await great.event('connected');
    vi.spyOn(great.journal, 'receive').mockImplementationOnce(() => {
      throw full;
    });
    small.session.message('insistent');
    await great.event('error');
    await great.event('message');
    await small.event('delivered');
    expect(great.all('message')).toHaveLength(1);
    expect(great.all('disconnected')).toHaveLength(1);
  });
});

describe('the end', () => {
  it('is told to the peer, who is not told of another path in between', async () => {
    await both.link({ path: 'relay', generation: 1 });
    await great.event('connected');
    await small.session.close();
    expect((await great.event('disconnected')).reason).toBe('the peer left');
    expect(great.all('path')).toEqual([]);
  });

  it('is told though the link that carried the session broke first, and the words come over another', async () => {
    const before = await HandDrivenPeer.connect(small);
    const after = await HandDrivenPeer.link(small, before);
    before.link.destroy(new Error('cut'));
    await after.next('activate');
    await after.link.end('quit');
    expect((await small.event('disconnected')).reason).toBe('the peer left');
  });

  it('of a link tells the reason of this link, and not of one before', async () => {
    await both.link({ path: 'relay', generation: 1 });
    const direct = await both.link({ path: 'tcp-direct', generation: 1 });
    await great.event('path');
    await small.event('path');
    direct.cut();
    expect((await great.event('disconnected')).reason).not.toMatch(/moved|here/);
    expect((await small.event('disconnected')).reason).not.toMatch(/moved|here/);
  });

  it('leaves no socket', async () => {
    await both.link();
    await great.event('connected');
    await Promise.all([small.session.close(), great.session.close()]);
    await vi.waitFor(() => expect(openSockets()).toBe(socketsBefore), { timeout: 5_000 });
  });
});

describe('status', () => {
  it('tells how things stand, and what is still to be delivered', async () => {
    small.session.message('waiting');
    expect(small.session.status('waiting')).toMatchObject({ state: 'waiting', path: null, outbox: 1 });
    await both.link({ path: 'relay' });
    await small.event('delivered');
    expect(small.session.status('waiting')).toMatchObject({ state: 'connected', path: 'relay', outbox: 0 });
  });
});
