import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { SendBudget } from '../../../../src/peer/paths/send-budget.js';
import { Checks, type Pair } from '../../../../src/peer/paths/udp/checks.js';
import { openUdpSocket, type UdpSocket } from '../../../../src/peer/paths/udp/udx.js';
import type { Endpoint } from '../../../../src/protocol/messages.js';
import { decodePunch, encodePunch, punchKey } from '../../../../src/protocol/punch.js';
import type { Role } from '../../../../src/protocol/transcripts.js';

const TOKEN = Buffer.alloc(32, 7);
const cleanUps: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function open(): Promise<UdpSocket> {
  const socket = await openUdpSocket(4);
  if (!socket) throw new Error('no UDP here');
  cleanUps.push(() => socket.release());
  return socket;
}

const endpointOf = ({ port }: UdpSocket): Endpoint => ({ address: '127.0.0.1', port });

interface End {
  checks: Checks<UdpSocket>;
  sockets: UdpSocket[];
  selected: Promise<Pair<UdpSocket>>;
}

async function end(role: Role, sockets: number, token = TOKEN, budget = new SendBudget(5_000, 8_000)): Promise<End> {
  let onSelected: (pair: Pair<UdpSocket>) => void = () => {};
  const selected = new Promise<Pair<UdpSocket>>((resolve) => {
    onSelected = resolve;
  });
  const checks = new Checks<UdpSocket>({ token, role, budget, isBest: () => false, onSelected });
  cleanUps.push(() => checks.stop());
  const own = await Promise.all(Array.from({ length: sockets }, open));
  for (const socket of own) checks.add(socket);
  return { checks, sockets: own, selected };
}

/** The next packet that this socket gets. */
function heard(socket: UdpSocket): Promise<Buffer> {
  return new Promise((resolve) => {
    socket.onPacket = (packet) => resolve(Buffer.from(packet));
  });
}

describe('two peers', () => {
  test('settle on one and the same pair, whatever works', async () => {
    const client = await end('client', 3);
    const server = await end('server', 3);
    for (const one of client.sockets) for (const other of server.sockets) client.checks.ping(one, endpointOf(other));
    for (const one of server.sockets) for (const other of client.sockets) server.checks.ping(one, endpointOf(other));
    const [mine, theirs] = await Promise.all([client.selected, server.selected]);
    expect(mine.remote).toEqual(endpointOf(theirs.socket));
    expect(theirs.remote).toEqual(endpointOf(mine.socket));
  });

  test.each(['client', 'server'] as const)('meet where only the %s knows where the other is', async (role) => {
    const [one] = [await end(role, 1)];
    const other = await end(role === 'client' ? 'server' : 'client', 1);
    const [mine, theirs] = [one.sockets[0], other.sockets[0]];
    if (!mine || !theirs) throw new Error('no socket');
    one.checks.ping(mine, endpointOf(theirs));
    expect((await one.selected).remote).toEqual(endpointOf(theirs));
    expect((await other.selected).remote).toEqual(endpointOf(mine));
  });

  test('of different introductions do not hear each other', async () => {
    const client = await end('client', 1);
    const server = await end('server', 1, Buffer.alloc(32, 8));
    const friend = await end('server', 1);
    const [mine, stranger, theirs] = [client.sockets[0], server.sockets[0], friend.sockets[0]];
    if (!mine || !stranger || !theirs) throw new Error('no socket');
    for (let count = 0; count < 5; count++) {
      client.checks.ping(mine, endpointOf(stranger));
      server.checks.ping(stranger, endpointOf(mine));
    }
    friend.checks.ping(theirs, endpointOf(mine));
    expect((await client.selected).remote).toEqual(endpointOf(theirs));
    expect(server.checks.silentMs).toBe(Number.POSITIVE_INFINITY);
    expect(server.checks.selected).toBe(false);
  });
});

describe('whoever lacks the token', () => {
  test('is not answered', async () => {
    const client = await end('client', 1);
    const stranger = await open();
    const [target] = client.sockets;
    if (!target) throw new Error('no socket');
    const first = heard(stranger);
    const nonce = Buffer.alloc(8, 1);
    stranger.send(randomBytes(32), endpointOf(target));
    stranger.send(encodePunch(punchKey(randomBytes(32), 'server'), { kind: 'ping', nonce }), endpointOf(target));
    stranger.send(encodePunch(punchKey(TOKEN, 'client'), { kind: 'ping', nonce }), endpointOf(target));
    const good = Buffer.alloc(8, 2);
    stranger.send(encodePunch(punchKey(TOKEN, 'server'), { kind: 'ping', nonce: good }), endpointOf(target));
    expect(decodePunch(punchKey(TOKEN, 'client'), await first)).toEqual({ kind: 'pong', nonce: good });
  });
});

test('an answer that was not asked for there proves nothing, and a client is not nominated to', async () => {
  const client = await end('client', 1);
  const other = await open();
  const [mine] = client.sockets;
  if (!mine) throw new Error('no socket');
  const key = punchKey(TOKEN, 'server');
  for (const kind of ['pong', 'ready', 'nominate'] as const)
    other.send(encodePunch(key, { kind, nonce: randomBytes(8) }), endpointOf(mine));
  const answered = heard(other);
  other.send(encodePunch(key, { kind: 'ping', nonce: randomBytes(8) }), endpointOf(mine));
  await answered;
  expect(client.checks.selected).toBe(false);
});

test('packets to one who does not answer end with the budget', async () => {
  const client = await end('client', 1, TOKEN, new SendBudget(10, 100));
  const silent = await open();
  let count = 0;
  const last = new Promise<void>((resolve) => {
    silent.onPacket = () => {
      count += 1;
      if (count === 10) resolve();
    };
  });
  const [mine] = client.sockets;
  if (!mine) throw new Error('no socket');
  for (let ping = 0; ping < 50; ping++) client.checks.ping(mine, endpointOf(silent));
  await last;
  // What came after those ten would have come by now: it is the same socket, and in order.
  const other = await open();
  const marker = new Promise<void>((resolve) => {
    silent.onPacket = (packet) => {
      if (packet.length === 1) resolve();
      else count += 1;
    };
  });
  other.send(Buffer.of(1), endpointOf(silent));
  await marker;
  expect(count).toBe(10);
});
