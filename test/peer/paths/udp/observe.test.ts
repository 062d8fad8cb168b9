import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { observe } from '../../../../src/peer/paths/udp/observe.js';
import { openUdpSocket, type UdpSocket } from '../../../../src/peer/paths/udp/udx.js';
import type { Endpoint } from '../../../../src/protocol/messages.js';
import { decodeProbe, encodeProbeReply } from '../../../../src/protocol/probe.js';
import { ReflexiveService } from '../../../../src/server/reflexive/reflexive-service.js';
import { ownTime } from '../../../support/own-time.js';

const KEY = randomBytes(32);
const never = new AbortController().signal;
let service: ReflexiveService;
let socket: UdpSocket;
let places: Endpoint[];

beforeEach(async () => {
  service = new ReflexiveService({ where: { address: '127.0.0.1', port: 0 }, secondAddress: null, warn: () => {} });
  await service.start();
  service.expect(KEY);
  places = service.ports.map((port) => ({ address: '127.0.0.1', port }));
  socket = await open();
});

afterEach(async () => {
  socket.release();
  await service.stop();
});

async function open(): Promise<UdpSocket> {
  const opened = await openUdpSocket(4);
  if (!opened) throw new Error('no UDP here');
  return opened;
}

test('tells what each place saw', async () => {
  const here = { address: '127.0.0.1', port: socket.port };
  expect(await observe(socket, places, KEY, never)).toEqual([here, here]);
});

test('a place that does not answer is null, and does not hold up the others for long', async () => {
  const silent = await open();
  const passedMs = ownTime();
  const [one, other, third] = await observe(
    socket,
    [...places, { address: '127.0.0.1', port: silent.port }],
    KEY,
    never,
  );
  expect([one?.port, other?.port, third]).toEqual([socket.port, socket.port, null]);
  expect(passedMs()).toBeLessThan(800);
  silent.release();
});

test('where nobody answers it gives up after a second', async () => {
  const startedAt = performance.now();
  expect(await observe(socket, places, randomBytes(32), never)).toEqual([null, null]);
  expect(performance.now() - startedAt).toBeGreaterThan(900);
});

test('a reply counts only when it confirms the cookie', async () => {
  const liar = await open();
  const seen = { address: '203.0.113.9', port: 9 };
  let probes = 0;
  liar.onPacket = (packet, from) => {
    const probe = decodeProbe(KEY, packet);
    if (!probe) return;
    probes += 1;
    liar.send(encodeProbeReply(KEY, { nonce: probe.nonce, cookie: Buffer.alloc(8, 1), seen, confirmed: false }), from);
    liar.send(
      encodeProbeReply(KEY, { nonce: randomBytes(8), cookie: Buffer.alloc(8, 1), seen, confirmed: true }),
      from,
    );
    liar.send(encodeProbeReply(randomBytes(32), { ...probe, cookie: Buffer.alloc(8), seen, confirmed: true }), from);
    if (probes > 20) liar.onPacket = null;
  };
  expect(await observe(socket, [{ address: '127.0.0.1', port: liar.port }], KEY, never)).toEqual([null]);
  expect(probes).toBeGreaterThan(1);
  liar.release();
});

test('ends at once when it is told to', async () => {
  const stopping = new AbortController();
  const answers = observe(socket, places, randomBytes(32), stopping.signal);
  stopping.abort();
  expect(await answers).toEqual([null, null]);
});
