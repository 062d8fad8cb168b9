import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Path } from '../../../src/peer/paths/path.js';
import { udpPunch } from '../../../src/peer/paths/udp-punch.js';
import type { Candidate, Introduction } from '../../../src/protocol/messages.js';
import type { Role } from '../../../src/protocol/transcripts.js';
import { ReflexiveService } from '../../../src/server/reflexive/reflexive-service.js';
import { areConnected, INTRODUCTION, RecordedSurroundings } from './surroundings.js';

const PROBE_KEY = Buffer.alloc(32, 4);

class Surroundings extends RecordedSurroundings {
  override readonly role: Role;
  override readonly introduction: Introduction;

  constructor(role: Role, overrides: Partial<Introduction>) {
    super();
    this.role = role;
    this.introduction = { ...INTRODUCTION, probeKey: PROBE_KEY, ...overrides };
  }
}

let service: ReflexiveService;
let ended: AbortController;
const paths: Path[] = [];
const all: Surroundings[] = [];

beforeEach(async () => {
  ended = new AbortController();
  service = new ReflexiveService({ where: { address: '127.0.0.1', port: 0 }, secondAddress: null, warn: () => {} });
  await service.start();
  service.expect(PROBE_KEY);
});

afterEach(async () => {
  ended.abort();
  for (const path of paths.splice(0)) path.stop();
  for (const surroundings of all.splice(0)) surroundings.destroyStreams();
  await service.stop();
});

function peer(role: Role, overrides: Partial<Introduction> = {}): { surroundings: Surroundings; path: Path } {
  const surroundings = new Surroundings(role, { probes: service.probes, ...overrides });
  const path = udpPunch(surroundings);
  paths.push(path);
  all.push(surroundings);
  return { surroundings, path };
}

const ofIPv4 = (candidates: Candidate[]) => candidates.filter(({ address }) => address === '127.0.0.1');

describe('gathering', () => {
  test('tells where the mediator saw the socket, as often as it was asked, and where the machine has it', async () => {
    const [first, ...others] = await peer('client').path.gather();
    expect(first).toMatchObject({ type: 'reflexive', transport: 'udp', address: '127.0.0.1' });
    expect(first?.seenPorts).toEqual([first?.port, first?.port]);
    expect(ofIPv4(others)).toEqual([{ ...first, type: 'host', seenPorts: [] }]);
  });

  test('where the mediator does not answer, it tells a guess that says so', async () => {
    const silent = { probes: [], reflexive: { address: '203.0.113.5', port: 1234 } };
    const candidates = await peer('client', silent).path.gather();
    const [host] = ofIPv4(candidates);
    expect(candidates[0]).toEqual({ ...host, type: 'reflexive', address: '203.0.113.5', seenPorts: [] });
  });

  test('asks nowhere that a mediator may not send it, and at most four places', async () => {
    const asked: number[] = [];
    const target = dgram.createSocket('udp4').on('message', (_, { port }) => asked.push(port));
    target.bind(0, '127.0.0.1');
    await once(target, 'listening');
    const { port } = target.address();
    const outOfBounds = { address: '127.0.0.1', port };
    const bad = ['224.0.0.1', '0.0.0.0', '169.254.1.1', 'example.com'].map((address) => ({ address, port: 9 }));
    await peer('client', { probes: [...bad, outOfBounds] }).path.gather();
    target.close();
    expect(asked).toEqual([]);
  });
});

describe('two peers', () => {
  async function meet(client = peer('client'), server = peer('server')) {
    const [mine, theirs] = await Promise.all([client.path.gather(), server.path.gather()]);
    client.path.attempt(ofIPv4(theirs), ended.signal);
    server.path.attempt(ofIPv4(mine), ended.signal);
    return await Promise.all([client.surroundings.stream(), server.surroundings.stream()]);
  }

  test('get one stream, of which the TLS client is the one who dialled', async () => {
    const [mine, theirs] = await meet();
    expect([mine.path, mine.dialled]).toEqual(['udp-punch', true]);
    expect([theirs.path, theirs.dialled]).toEqual(['udp-punch', false]);
    expect(await areConnected(mine.stream, theirs.stream)).toBe(true);
    expect(await areConnected(theirs.stream, mine.stream)).toBe(true);
  });

  test('meet where only one of them is told of the other', async () => {
    const [client, server] = [peer('client'), peer('server')];
    const [, theirs] = await Promise.all([client.path.gather(), server.path.gather()]);
    client.path.attempt(ofIPv4(theirs), ended.signal);
    const [mine, other] = await Promise.all([client.surroundings.stream(), server.surroundings.stream()]);
    expect(await areConnected(mine.stream, other.stream)).toBe(true);
  });

  test('meet where one was told before it knew its own addresses', async () => {
    const [client, server] = [peer('client'), peer('server')];
    const theirs = await server.path.gather();
    const gathering = client.path.gather();
    client.path.attempt(ofIPv4(theirs), ended.signal);
    server.path.attempt(ofIPv4(await gathering), ended.signal);
    const [mine, other] = await Promise.all([client.surroundings.stream(), server.surroundings.stream()]);
    expect(await areConnected(mine.stream, other.stream)).toBe(true);
  });

  test('meet at an address that is told late', async () => {
    const [client, server] = [peer('client'), peer('server')];
    const [mine, theirs] = await Promise.all([client.path.gather(), server.path.gather()]);
    const nobody: Candidate = { type: 'host', transport: 'udp', address: '127.0.0.9', port: 9, seenPorts: [] };
    client.path.attempt([nobody], ended.signal);
    server.path.attempt([nobody], ended.signal);
    client.path.attempt(ofIPv4(theirs), ended.signal);
    server.path.attempt(ofIPv4(mine), ended.signal);
    const [one, other] = await Promise.all([client.surroundings.stream(), server.surroundings.stream()]);
    expect(await areConnected(one.stream, other.stream)).toBe(true);
  });

  test('keep the stream when the path is stopped, and nothing else', async () => {
    const [client, server] = [peer('client'), peer('server')];
    const [mine, theirs] = await meet(client, server);
    client.path.stop();
    server.path.stop();
    expect(await areConnected(mine.stream, theirs.stream)).toBe(true);
    const closed = [mine, theirs].map(({ stream }) => new Promise((resolve) => stream.once('close', resolve)));
    mine.stream.destroy();
    await Promise.all(closed);
    for (const port of [mine.remote.port, theirs.remote.port]) await expectFree(port);
  });

  test('of different introductions do not meet, and each says how that ended', async () => {
    const [client, server] = [peer('client'), peer('server', { token: Buffer.alloc(32, 99) })];
    const [mine, theirs] = await Promise.all([client.path.gather(), server.path.gather()]);
    const short = AbortSignal.timeout(600);
    await Promise.all([client.path.attempt(ofIPv4(theirs), short), server.path.attempt(ofIPv4(mine), short)]);
    expect(client.surroundings.streams).toEqual([]);
    expect(server.surroundings.streams).toEqual([]);
    expect(client.surroundings.failures).toEqual([
      {
        path: 'udp-punch',
        remote: expect.objectContaining({ address: '127.0.0.1' }),
        why: 'did not open (ports here: one for all, there: one for all)',
      },
    ]);
  });
});

test('a path that is stopped leaves no socket, whenever it is', async () => {
  const whileGathering = peer('client', { probeKey: Buffer.alloc(32) });
  const gathering = whileGathering.path.gather();
  await new Promise(setImmediate);
  whileGathering.path.stop();
  for (const { port } of ofIPv4(await gathering)) await expectFree(port);

  const afterwards = peer('client');
  const [first] = await afterwards.path.gather();
  afterwards.path.stop();
  await expectFree(first?.port ?? 0);
});

/** Nobody has this port any more, or will not for long. */
async function expectFree(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const socket = dgram.createSocket('udp4');
    try {
      socket.bind({ port, address: '0.0.0.0', exclusive: true });
      await once(socket, 'listening');
      return;
    } catch (error) {
      if (tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      socket.close();
    }
  }
}
