import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PathFactory } from '../../../src/peer/paths/path.js';
import { SendBudget } from '../../../src/peer/paths/send-budget.js';
import { tcpPunch, tcpPunchWithin } from '../../../src/peer/paths/tcp-punch.js';
import type { Candidate, Endpoint } from '../../../src/protocol/messages.js';
import { openSockets } from '../../support/streams.js';
import { areConnected, RecordedSurroundings } from './surroundings.js';

/** A mediator that only has to be connected to: each peer punches from the port of its connection. */
let mediator: net.Server;
let before = 0;
let peers: Peer[] = [];
beforeEach(async () => {
  before = openSockets();
  mediator = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(mediator, 'listening');
});
afterEach(async () => {
  for (const peer of peers) peer.stop();
  peers = [];
  mediator.close();
  await expect.poll(openSockets).toBe(before);
});

/** Connected to the mediator, with a path of its own. */
class Peer {
  readonly surroundings: RecordedSurroundings;
  readonly path;
  readonly over = new AbortController();
  readonly #toMediator: net.Socket;

  private constructor(toMediator: net.Socket, factory: PathFactory) {
    this.#toMediator = toMediator;
    this.surroundings = new RecordedSurroundings({ address: '127.0.0.1', port: toMediator.localPort ?? 0 });
    this.path = factory(this.surroundings);
  }

  static async connect(factory = tcpPunch): Promise<Peer> {
    const { port } = mediator.address() as AddressInfo;
    const toMediator = net.connect({ host: '127.0.0.1', port, localAddress: '0.0.0.0', localPort: 0 });
    await once(toMediator, 'connect');
    const peer = new Peer(toMediator, factory);
    peers.push(peer);
    return peer;
  }

  get local(): Endpoint {
    return this.surroundings.local;
  }

  punch(candidates: Candidate[]): Promise<void> {
    return this.path.attempt(candidates, this.over.signal);
  }

  stop(): void {
    this.over.abort();
    this.path.stop();
    this.surroundings.destroyStreams();
    this.#toMediator.destroy();
  }
}

function reflexive({ address, port }: Endpoint): Candidate {
  return { type: 'reflexive', transport: 'tcp', address, port, seenPorts: [] };
}

/** A port on which nobody listens, so that each dial to it is answered by a RST. */
async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Dials until it is let in. */
async function dialUntilAccepted(port: number): Promise<net.Socket> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const accepted = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (accepted) return socket;
  }
}

describe('tcp-punch', () => {
  it('tells the address that the mediator saw', async () => {
    const peer = await Peer.connect();
    expect(await peer.path.gather()).toEqual([reflexive(peer.local)]);
  });

  it('brings two together from the very ports of their connections to the mediator', async () => {
    const one = await Peer.connect();
    const other = await Peer.connect();
    const attempts = [one.punch(await other.path.gather()), other.punch(await one.path.gather())];
    const here = await one.surroundings.stream(({ remote }) => remote.port === other.local.port);
    const there = await other.surroundings.stream(({ remote }) => remote.port === one.local.port);
    expect(here).toMatchObject({ path: 'tcp-punch', remote: { address: '127.0.0.1', port: other.local.port } });
    expect(there).toMatchObject({ path: 'tcp-punch', remote: { address: '127.0.0.1', port: one.local.port } });
    expect(await areConnected(here.stream, there.stream)).toBe(true);
    one.stop();
    other.stop();
    await Promise.all(attempts);
    expect([...one.surroundings.failures, ...other.surroundings.failures]).toEqual([]);
  });

  it('goes on when the other side answers with RST at first, and begins later', async () => {
    const one = await Peer.connect();
    const other = await Peer.connect();
    const attempt = one.punch([reflexive(other.local)]);
    // The port is bound and does not listen: what dials it is reset, ours here as well as the punch.
    await once(net.connect(other.local.port, '127.0.0.1'), 'error');
    expect(one.surroundings.streams).toEqual([]);
    const late = other.punch([reflexive(one.local)]);
    const there = await other.surroundings.stream();
    const here = await one.surroundings.stream();
    expect(await areConnected(here.stream, there.stream)).toBe(true);
    one.stop();
    other.stop();
    await Promise.all([attempt, late]);
  });

  it('reaches one that listens on its port and dials nobody', async () => {
    const peer = await Peer.connect();
    const listening = net.createServer().listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const connection = once(listening, 'connection') as Promise<[net.Socket]>;
    peer.punch([reflexive({ address: '127.0.0.1', port: (listening.address() as AddressInfo).port })]);
    const [accepted] = await connection;
    expect(accepted.remotePort).toBe(peer.local.port);
    const { stream, dialled } = await peer.surroundings.stream();
    expect(dialled).toBe(true);
    expect(await areConnected(stream, accepted)).toBe(true);
    accepted.destroy();
    listening.close();
  });

  it('listens on its port between the dials, for one that dials and cannot be dialled', async () => {
    const peer = await Peer.connect();
    peer.punch([reflexive({ address: '127.0.0.1', port: await closedPort() })]);
    const dialled = await dialUntilAccepted(peer.local.port);
    const accepted = await peer.surroundings.stream();
    expect(accepted).toMatchObject({ path: 'tcp-punch', dialled: false, remote: { port: dialled.localPort } });
    expect(await areConnected(dialled, accepted.stream)).toBe(true);
    dialled.destroy();
  });

  it('takes in what the peer tells later', async () => {
    const one = await Peer.connect();
    const other = await Peer.connect();
    const attempts = [
      one.punch([reflexive({ address: '127.0.0.1', port: await closedPort() })]),
      one.punch([{ ...reflexive(other.local), type: 'peer-reflexive' }]),
      other.punch([reflexive(one.local)]),
    ];
    const here = await one.surroundings.stream();
    const there = await other.surroundings.stream();
    expect(await areConnected(here.stream, there.stream)).toBe(true);
    one.stop();
    other.stop();
    await Promise.all(attempts);
    expect(one.surroundings.failures).toHaveLength(1);
  });

  it('dials neither host candidates, nor UDP, nor the other family', async () => {
    const peer = await Peer.connect();
    const here = reflexive({ address: '127.0.0.1', port: await closedPort() });
    await peer.punch([
      { ...here, type: 'host' },
      { ...here, transport: 'udp' },
      { ...here, address: '::1' },
    ]);
    expect(peer.surroundings.failures).toEqual([]);
  });

  it('says that nothing came of it, when the time is over', async () => {
    const peer = await Peer.connect();
    const target = reflexive({ address: '127.0.0.1', port: await closedPort() });
    const attempt = peer.punch([target]);
    await dialUntilAccepted(peer.local.port).then((socket) => socket.destroy());
    peer.over.abort();
    await attempt;
    expect(peer.surroundings.failures).toEqual([
      { path: 'tcp-punch', remote: expect.objectContaining(target), why: 'did not open' },
    ]);
  });

  it('dials no more, in whatever race, than the program may', async () => {
    let connections = 0;
    const stranger = net.createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await once(stranger.listen(0, '127.0.0.1'), 'listening');
    const target = reflexive({ address: '127.0.0.1', port: (stranger.address() as AddressInfo).port });
    const factory = tcpPunchWithin(new SendBudget(7, 100));
    const races = [await Peer.connect(factory), await Peer.connect(factory), await Peer.connect(factory)];
    const attempts = races.map((race) => race.punch([target]));
    await vi.waitFor(() => expect(connections).toBe(7), { timeout: 10_000 });
    // As long as several more rounds.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(connections).toBe(7);
    for (const race of races) race.stop();
    await Promise.all(attempts);
    await new Promise((closed) => stranger.close(closed));
  });

  it('leaves neither dial nor listener when it is stopped, whenever that is', async () => {
    const port = await closedPort();
    for (const turns of [0, 1, 2, 3, 5, 8]) {
      const peer = await Peer.connect();
      const attempt = peer.punch([reflexive({ address: '127.0.0.1', port })]);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      peer.path.stop();
      await attempt;
      const late = net.connect(peer.local.port, '127.0.0.1');
      await once(late, 'error');
      peer.stop();
    }
  });

  it('hands nothing over once it is stopped', async () => {
    const one = await Peer.connect();
    const other = await Peer.connect();
    one.path.stop();
    await one.punch([reflexive(other.local)]);
    expect(one.surroundings.streams).toEqual([]);
  });
});
