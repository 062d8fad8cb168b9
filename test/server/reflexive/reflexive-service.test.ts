import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { decodeProbeReply, encodeProbe } from '../../../src/protocol/probe.js';
import { ReflexiveService } from '../../../src/server/reflexive/reflexive-service.js';

async function udpSocket(port = 0): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4');
  onTestFinished(() => void socket.close());
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

async function startService(port: number, secondAddress: string | null = null, address = '127.0.0.1') {
  const warnings: string[] = [];
  const warn = (text: string) => warnings.push(text);
  const service = new ReflexiveService({ where: { address, port }, secondAddress, warn });
  onTestFinished(() => service.stop());
  await service.start();
  return { service, warnings };
}

/** A port of which it is likely that it and the next two are free. */
async function freePort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((closed) => socket.close(closed));
  return port;
}

test('takes the TCP port’s number and the next', async () => {
  const port = await freePort();
  const { service, warnings } = await startService(port);
  expect(service.probes).toEqual([
    { address: '', port },
    { address: '', port: port + 1 },
  ]);
  expect(warnings).toEqual([]);
});

test('takes other ports where those are taken', async () => {
  const taken = (await udpSocket()).address().port;
  const { service } = await startService(taken);
  expect(service.ports).toHaveLength(2);
  expect(service.ports).not.toContain(taken);
  expect(new Set(service.ports).size).toBe(2);
});

test('answers on both ports what it saw, to a key that it was told, from then on', async () => {
  const { service } = await startService(await freePort());
  const socket = await udpSocket();
  const key = randomBytes(32);
  const probe = encodeProbe(key, { nonce: Buffer.alloc(8, 1), cookie: null });
  for (const port of service.ports) socket.send(probe, port, '127.0.0.1');
  service.expect(key);
  const replies: Buffer[] = [];
  socket.on('message', (packet) => replies.push(packet));
  for (const port of service.ports) {
    socket.send(encodeProbe(key, { nonce: Buffer.alloc(8, 2), cookie: null }), port, '127.0.0.1');
    await once(socket, 'message');
  }
  const seen = { address: '127.0.0.1', port: (socket.address() as AddressInfo).port };
  expect(replies.map((packet) => decodeProbeReply(key, packet))).toMatchObject([{ seen }, { seen }]);
});

test('has a third place to ask at a second address, which it names', async () => {
  const { service } = await startService(await freePort(), '127.0.0.2');
  expect(service.probes.map(({ address }) => address)).toEqual(['', '', '127.0.0.2']);
});

test('where there is no UDP it warns, and has no ports', async () => {
  const { service, warnings } = await startService(5000, null, '192.0.2.1');
  expect(service.ports).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining('UDP cannot be used')]);
});

test('a stopped one has closed its sockets', async () => {
  const { service } = await startService(await freePort());
  const [port = 0] = service.ports;
  await service.stop();
  expect((await udpSocket(port)).address().port).toBe(port);
});
