import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Path } from '../../../src/peer/paths/path.js';
import { SendBudget } from '../../../src/peer/paths/send-budget.js';
import { tcpDirect, tcpDirectWithin } from '../../../src/peer/paths/tcp-direct.js';
import type { Candidate } from '../../../src/protocol/messages.js';
import { closed, openSockets } from '../../support/streams.js';
import { areConnected, RecordedSurroundings } from './surroundings.js';

const never = new AbortController().signal;

/** All sockets of a test are gone after it: the paths' own by stop(), what they handed over by hand. */
const made: { path: Path; surroundings: RecordedSurroundings }[] = [];
let before = 0;
beforeEach(() => {
  before = openSockets();
});
afterEach(async () => {
  for (const { path, surroundings } of made.splice(0)) {
    path.stop();
    surroundings.destroyStreams();
  }
  await expect.poll(openSockets).toBe(before);
});

function newPath(factory = tcpDirect): { path: Path; surroundings: RecordedSurroundings } {
  const surroundings = new RecordedSurroundings();
  const path = factory(surroundings);
  made.push({ path, surroundings });
  return { path, surroundings };
}

async function loopbackCandidate(path: Path): Promise<Candidate> {
  const candidate = (await path.gather()).find(({ address }) => address === '127.0.0.1');
  if (!candidate) throw new Error('no candidate on loopback');
  return candidate;
}

function candidateAt(port: number, more: Partial<Candidate> = {}): Candidate {
  return { type: 'host', transport: 'tcp', address: '127.0.0.1', port, seenPorts: [], ...more };
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('tcp-direct', () => {
  it('reaches the candidates that the other side gathered, and is reached', async () => {
    const here = newPath();
    const there = newPath();
    const candidate = await loopbackCandidate(there.path);
    await here.path.attempt([candidate], never);
    const dialled = await here.surroundings.stream();
    const accepted = await there.surroundings.stream();
    expect(dialled).toMatchObject({ path: 'tcp-direct', dialled: true, remote: { port: candidate.port } });
    expect(accepted).toMatchObject({ path: 'tcp-direct', dialled: false, remote: { address: '127.0.0.1' } });
    expect(await areConnected(dialled.stream, accepted.stream)).toBe(true);
    expect(await areConnected(accepted.stream, dialled.stream)).toBe(true);
  });

  it('is reached over IPv6 on the same port, where the machine has it', async () => {
    const here = newPath();
    const there = newPath();
    const candidates = await there.path.gather();
    const overIpv6 = candidates.filter(({ address }) => address === '::1');
    await here.path.attempt(overIpv6, never);
    expect(here.surroundings.streams).toHaveLength(overIpv6.length);
    expect(new Set(candidates.map(({ port }) => port)).size).toBe(1);
  });

  it('dials no UDP candidate', async () => {
    const { path, surroundings } = newPath();
    await path.attempt([candidateAt(await freePort(), { transport: 'udp' })], never);
    expect(surroundings.failures).toEqual([]);
    expect(surroundings.streams).toEqual([]);
  });

  it('tries again when the other side begins to listen a little later', async () => {
    const { path, surroundings } = newPath();
    const port = await freePort();
    const attempt = path.attempt([candidateAt(port)], never);
    // Refused here, and so there before.
    await once(net.connect(port, '127.0.0.1'), 'error');
    const late = net.createServer((socket) => socket.resume()).listen(port, '127.0.0.1');
    await attempt;
    late.close();
    expect(surroundings.streams).toHaveLength(1);
    expect(surroundings.failures).toEqual([]);
  });

  it('says how it ended where nobody listens', async () => {
    const { path, surroundings } = newPath();
    const port = await freePort();
    await path.attempt([candidateAt(port)], never);
    expect(surroundings.failures).toEqual([
      { path: 'tcp-direct', remote: expect.objectContaining({ port }), why: 'refused' },
    ]);
  });

  it('dials no more, in whatever race, than the program may', async () => {
    let connections = 0;
    const stranger = net.createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await once(stranger.listen(0, '127.0.0.1'), 'listening');
    const { port } = stranger.address() as AddressInfo;
    const factory = tcpDirectWithin(new SendBudget(5, 100));
    for (let race = 0; race < 10; race++) {
      const { path, surroundings } = newPath(factory);
      await path.attempt([candidateAt(port)], never);
      if (race >= 5) expect(surroundings.failures[0]?.why).toMatch(/^not tried any more/);
    }
    await expect.poll(() => connections).toBe(5);
    await new Promise((closed) => stranger.close(closed));
  });

  it('ends at once when the signal aborts, and leaves no dial behind', async () => {
    const { path, surroundings } = newPath();
    const aborting = new AbortController();
    const attempt = path.attempt([candidateAt(await freePort())], aborting.signal);
    aborting.abort(new Error('enough'));
    await attempt;
    expect(surroundings.streams).toEqual([]);
  });

  it('listens no more once it is stopped', async () => {
    const { path, surroundings } = newPath();
    const { port } = await loopbackCandidate(path);
    path.stop();
    const late = net.connect(port, '127.0.0.1');
    const [error] = await once(late, 'error');
    expect(error.code).toBe('ECONNREFUSED');
    expect(surroundings.streams).toEqual([]);
  });

  it('listens no more if it is stopped before it has begun to', async () => {
    const { path } = newPath();
    const gathering = path.gather();
    path.stop();
    await gathering;
    await expect.poll(openSockets).toBe(before);
  });

  it('leaves to others what it has handed over', async () => {
    const here = newPath();
    const there = newPath();
    await here.path.attempt([await loopbackCandidate(there.path)], never);
    const accepted = await there.surroundings.stream();
    here.path.stop();
    there.path.stop();
    const dialled = await here.surroundings.stream();
    expect(await areConnected(dialled.stream, accepted.stream)).toBe(true);
    dialled.stream.destroy();
    await closed(accepted.stream);
  });
});
