import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tcpDirect } from '../../../src/peer/paths/tcp-direct.js';
import { MAX_WAITING } from '../../../src/peer/paths/waiting-room.js';
import { MAX_CANDIDATES } from '../../../src/protocol/constants.js';
import type { Candidate } from '../../../src/protocol/messages.js';
import { openLink, roleOf, type SecondHandshake } from '../../../src/protocol/peer-handshake.js';
import { PREFACE_BYTES, prefaceOf, readPreface } from '../../../src/protocol/preface.js';
import type { TlsCredentials } from '../../../src/protocol/tls.js';
import { credentialsOf } from '../../support/credentials.js';
import { newIdentity } from '../../support/keys.js';
import { openSockets, readToEnd } from '../../support/streams.js';
import { INTRODUCTION } from './surroundings.js';
import { PAIR, Racer, type RacerSetup, SimpleRelay } from './two-races.js';

const { small, great } = PAIR;
const never = new AbortController().signal;

let before = 0;
let relay: SimpleRelay;
let racers: Racer[] = [];
let strangers: net.Socket[] = [];
beforeEach(async () => {
  before = openSockets();
  relay = await SimpleRelay.start();
});
afterEach(async () => {
  for (const racer of racers) racer.stop();
  for (const stranger of strangers) stranger.destroy();
  racers = [];
  strangers = [];
  relay.stop();
  await expect.poll(openSockets).toBe(before);
});

function newRacer(setup: Partial<RacerSetup> = {}): Racer {
  const racer = new Racer({ me: small, peer: great, relay, ...setup });
  racers.push(racer);
  racer.race.start();
  return racer;
}

function bothRacers(setup: Partial<RacerSetup> = {}): [Racer, Racer] {
  return [newRacer(setup), newRacer({ ...setup, me: great, peer: small })];
}

/** A race that nobody joins, and the port on which it can be reached directly. */
async function lonelyRacer(
  me: TlsCredentials = small,
  peer: TlsCredentials = great,
): Promise<{ racer: Racer; port: number }> {
  let found: (candidates: Candidate[]) => void = () => {};
  const gathered = new Promise<Candidate[]>((resolve) => {
    found = resolve;
  });
  const racer = newRacer({
    me,
    peer,
    factories: {
      'tcp-direct': (surroundings) => {
        const path = tcpDirect(surroundings);
        const gather = async () => {
          const candidates = await path.gather();
          found(candidates);
          return candidates;
        };
        return { gather, attempt: path.attempt.bind(path), stop: path.stop.bind(path) };
      },
    },
  });
  const [{ port } = { port: 0 }] = await gathered;
  return { racer, port };
}

async function stranger(port: number, says?: Buffer): Promise<{ socket: net.Socket; heard: Promise<Buffer> }> {
  const socket = net.connect(port, '127.0.0.1');
  strangers.push(socket);
  socket.on('error', () => {});
  const heard = readToEnd(socket);
  await once(socket, 'connect');
  if (says) socket.write(says);
  return { socket, heard };
}

describe('two races of one introduction', () => {
  it('that only examines opens every path, and says of each that the session is not wanted there', async () => {
    const [one, other] = bothRacers({ examining: true });
    const direct = await one.linkOver('tcp-direct');
    const relayed = await other.linkOver('relay');
    for (const { facts } of [direct, relayed]) {
      expect(facts.signallingOnly).toBe(true);
      expect(facts.hello.features).toContain('signalling-only');
    }
    expect(one.attempts.find(({ path }) => path === 'relay')?.outcome).toBe('connected');
    const { own, theirs } = one.race.candidates;
    expect(theirs.length).toBeGreaterThan(0);
    expect(own.length).toBeGreaterThan(0);
  });

  it('meet over the relay first, tell their candidates there, and then directly', async () => {
    const [one, other] = bothRacers();
    await Promise.all([one.linkOver('tcp-direct'), other.linkOver('tcp-direct')]);
    for (const racer of [one, other]) {
      expect(racer.links[0]?.facts.path).toBe('relay');
      expect(racer.told[0]?.length).toBeGreaterThan(0);
      expect(racer.links.every(({ facts }) => !facts.signallingOnly)).toBe(true);
    }
    expect(one.links.every(({ facts }) => facts.role === 'client')).toBe(true);
    expect(other.links.every(({ facts }) => facts.role === 'server')).toBe(true);
    const direct = await one.linkOver('tcp-direct');
    expect(direct.facts).toMatchObject({ sameNetwork: true, remote: expect.stringMatching(/^(127\.|\[::1\]|\d|\[)/) });
    expect((await one.linkOver('relay')).facts.sameNetwork).toBe(false);
  });

  it('shake hands only once where several connections open that are as good', async () => {
    const [one, other] = bothRacers();
    const direct = await one.linkOver('tcp-direct');
    one.race.chosen(direct);
    // Each dials the other.
    for (const racer of [one, other]) {
      await racer.until(() => racer.attempts.find(({ outcome }) => outcome.startsWith('opened, but not needed')));
    }
    expect(one.links.filter(({ facts }) => facts.path === 'tcp-direct')).toEqual([direct]);
  });

  it('meet over the relay alone if no other path is allowed', async () => {
    const [one, other] = bothRacers({ allowed: ['relay'] });
    await Promise.all([one.linkOver('relay'), other.linkOver('relay')]);
    expect(one.told).toEqual([]);
    expect(one.links).toHaveLength(1);
  });

  it('keep the relay for signalling if it has a quota, or if one of the two does not want it', async () => {
    const [one, other] = bothRacers({ introduction: { relayQuota: 1000 } });
    expect((await one.linkOver('relay')).facts.signallingOnly).toBe(true);
    expect((await other.linkOver('relay')).facts.signallingOnly).toBe(true);
    expect(one.attempts).toContainEqual(
      expect.objectContaining({ outcome: expect.stringContaining('only to find another path') }),
    );
    expect((await one.linkOver('tcp-direct')).facts.signallingOnly).toBe(false);
    one.stop();
    other.stop();

    const willing = newRacer();
    const unwilling = newRacer({ me: great, peer: small, allowed: ['tcp-direct'] });
    expect((await willing.linkOver('relay')).facts.signallingOnly).toBe(true);
    expect((await unwilling.linkOver('relay')).facts.signallingOnly).toBe(true);
  });

  it('tell no addresses of their own interfaces if they may not, and use the other’s', async () => {
    const shy = newRacer({ hostCandidates: false });
    const open = newRacer({ me: great, peer: small });
    await Promise.all([shy.linkOver('tcp-direct'), open.linkOver('tcp-direct')]);
    expect(open.told.flat()).toEqual([]);
    expect(shy.told.flat().length).toBeGreaterThan(0);
  });

  it('ask no gateway for anything while the mediator is on loopback', async () => {
    let asked = false;
    const mapPort = async () => {
      asked = true;
      throw new Error('no gateway');
    };
    const [one, other] = bothRacers({ mapPort });
    await Promise.all([one.linkOver('tcp-direct'), other.linkOver('tcp-direct')]);
    expect(asked).toBe(false);
  });

  it('come to nothing over another introduction', async () => {
    const one = newRacer();
    const other = newRacer({ me: great, peer: small, introduction: { token: Buffer.alloc(32, 99) } });
    const failed = (racer: Racer) => racer.until(() => racer.attempts.find(({ path }) => path === 'relay'));
    expect((await failed(one)).outcome).toMatch(/preface/);
    expect((await failed(other)).outcome).toMatch(/preface|closed/);
    expect([...one.links, ...other.links]).toEqual([]);
    expect([...one.impostors, ...other.impostors]).toEqual([]);
  });

  it('try no more of the other’s candidates than are allowed, told at once or one by one', async () => {
    const attempted: Candidate[] = [];
    const racer = newRacer({
      factories: {
        'tcp-direct': () => ({
          gather: async () => [],
          attempt: async (candidates) => {
            attempted.push(...candidates);
          },
          stop: () => {},
        }),
      },
    });
    const many = Array.from({ length: 100 }, (_, at): Candidate => {
      return { type: 'host', transport: 'tcp', address: '127.0.0.1', port: 1 + at, seenPorts: [] };
    });
    for (const candidate of many.slice(0, 5)) racer.race.peerCandidates([candidate]);
    racer.race.peerCandidates(many);
    racer.race.peerCandidates(many);
    await expect.poll(() => attempted).toHaveLength(MAX_CANDIDATES);
    expect(attempted).toEqual(many.slice(0, MAX_CANDIDATES));
  });
});

describe('a stream that is not the peer’s', () => {
  it('hears not one byte before it has shown the token: silent, garbage, a TLS handshake', async () => {
    const { racer, port } = await lonelyRacer();
    const silent = await stranger(port);
    const garbage = await stranger(port, Buffer.alloc(PREFACE_BYTES, 'GET / HTTP/1.1\r\n'));
    const tlsLike = await stranger(port, Buffer.concat([Buffer.from('16030100', 'hex'), Buffer.alloc(400, 1)]));
    expect(await garbage.heard).toHaveLength(0);
    expect(await tlsLike.heard).toHaveLength(0);
    racer.stop();
    expect(await silent.heard).toHaveLength(0);
    expect(racer.links).toEqual([]);
    expect(racer.impostors).toEqual([]);
  });

  it('hears not one byte if its token is another, nor if it sends ours back, nor if it shows half', async () => {
    const { racer, port } = await lonelyRacer();
    const other = await stranger(port, prefaceOf(Buffer.alloc(32, 1), 'server'));
    const echo = await stranger(port, prefaceOf(INTRODUCTION.token, 'client'));
    const half = await stranger(port, prefaceOf(INTRODUCTION.token, 'server').subarray(0, PREFACE_BYTES - 1));
    expect(await other.heard).toHaveLength(0);
    expect(await echo.heard).toHaveLength(0);
    half.socket.end();
    expect(await half.heard).toHaveLength(0);
    expect(racer.links).toEqual([]);
  });

  it('does not keep the peer out for long if it knows the token and says nothing more', async () => {
    const { racer, port } = await lonelyRacer();
    for (let count = 0; count < 5; count++) {
      const dead = await stranger(port, prefaceOf(INTRODUCTION.token, 'server'));
      await once(dead.socket, 'data');
    }
    const { socket } = await stranger(port);
    socket.write(prefaceOf(INTRODUCTION.token, 'server'));
    await readPreface(socket, never);
    const [theirs] = await Promise.all([
      openLink(socket, handshakeOf(great, small), never),
      racer.linkOver('tcp-direct'),
    ]);
    theirs.destroy(new Error('the test is over'));
  });

  const roles: [string, TlsCredentials, TlsCredentials][] = [
    ['the TLS client', small, great],
    ['the TLS server', great, small],
  ];

  it.each(roles)('is an impostor if it knows the token and shows another key: to %s', async (_, me, peer) => {
    const { racer, port } = await lonelyRacer(me, peer);
    const impostor = impostorFor(peer, me);
    const socket = net.connect(port, '127.0.0.1');
    strangers.push(socket);
    socket.write(prefaceOf(INTRODUCTION.token, roleOf(peer.identity.id, me.identity.id)));
    const answer = await readPreface(socket, never);
    expect(answer).toEqual(prefaceOf(INTRODUCTION.token, roleOf(me.identity.id, peer.identity.id)));
    const link = openLink(socket, handshakeOf(impostor, me), never);
    await expect(link).rejects.toThrow();
    expect(await racer.until(() => racer.impostors[0])).toMatch(/^127\.0\.0\.1:/);
    expect(racer.links).toEqual([]);
  });

  it('that says nothing does not crowd out the peer: whoever has waited longest has to go', async () => {
    const { port } = await lonelyRacer();
    const waiting: { socket: net.Socket; heard: Promise<Buffer> }[] = [];
    for (let count = 0; count < MAX_WAITING; count++) waiting.push(await stranger(port));
    const peer = await stranger(port, prefaceOf(INTRODUCTION.token, 'server'));
    await once(peer.socket, 'data');
    expect(await waiting[0]?.heard).toHaveLength(0);
    expect(waiting.slice(1).every(({ socket }) => !socket.destroyed)).toBe(true);
  });
});

describe('stopping', () => {
  it('in the middle of handshakes leaves nothing', async () => {
    const { racer, port } = await lonelyRacer();
    const silent = await stranger(port);
    const greeted = await stranger(port, prefaceOf(INTRODUCTION.token, 'server'));
    await once(greeted.socket, 'data');
    racer.stop();
    await silent.heard;
    expect((await greeted.heard).subarray(0, PREFACE_BYTES)).toEqual(prefaceOf(INTRODUCTION.token, 'client'));
    expect(racer.links).toEqual([]);
    relay.stop();
    await expect.poll(openSockets).toBe(before);
  });

  it('at any moment leaves nothing but the links handed over', async () => {
    for (let turns = 0; turns < 60; turns += 3) {
      const [one, other] = bothRacers();
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      one.race.stop();
      other.race.stop();
      one.stop();
      other.stop();
      relay.stop();
      await expect.poll(openSockets).toBe(before);
      relay = await SimpleRelay.start();
    }
  });

  it('ends no link that was handed over', async () => {
    const [one, other] = bothRacers();
    const [link] = await Promise.all([one.linkOver('tcp-direct'), other.linkOver('tcp-direct')]);
    one.race.stop();
    other.race.stop();
    await link.probe(5_000);
  });
});

function handshakeOf(credentials: TlsCredentials, { identity: peer }: TlsCredentials): SecondHandshake {
  return {
    credentials,
    peer,
    path: 'tcp-direct',
    dialled: true,
    remote: '',
    sameNetwork: true,
    signallingOnly: false,
    runId: '00'.repeat(16),
    journalId: '00'.repeat(16),
  };
}

/** Somebody else, with the same part to play towards `victim` as the one it stands in for. */
function impostorFor(replaced: TlsCredentials, victim: TlsCredentials): TlsCredentials {
  const role = roleOf(replaced.identity.id, victim.identity.id);
  for (;;) {
    const identity = newIdentity();
    if (roleOf(identity.id, victim.identity.id) === role) return credentialsOf(identity);
  }
}
