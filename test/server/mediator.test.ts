import dgram from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RELAY_SIGNALLING_BYTES } from '../../src/protocol/constants.js';
import type { Introduction } from '../../src/protocol/messages.js';
import { decodeProbeReply, encodeProbe } from '../../src/protocol/probe.js';
import {
  connectTo,
  type MediatorClient,
  openRelay,
  openRelayStream,
  RefusedByMediator,
  registerWith,
} from '../support/mediator-client.js';
import { ownTime } from '../support/own-time.js';
import { UNLIMITED_RELAY } from '../support/relay.js';
import { closed, openSockets, readToEnd } from '../support/streams.js';
import { identity, putKey, type RunningMediator, startMediator } from './fixture.js';

const [ann, bob, cat] = [identity(0), identity(1), identity(2)];

async function introduce(where: RunningMediator, [one, other] = [ann, bob]) {
  const first = await registerWith(where, one, other.id);
  await first.take('waiting');
  const second = await registerWith(where, other, one.id);
  const introductions = [await first.take('introduction'), await second.take('introduction')] as const;
  return { first, second, introductions };
}

describe('two that name each other', () => {
  test('are introduced, each with its own address, one id and one token', async () => {
    const { first, second, introductions } = await introduce(await startMediator([ann, bob]));
    const [mine, theirs] = introductions;
    expect(mine.reflexive).toEqual({ address: '127.0.0.1', port: first.secured.localPort });
    expect(theirs.reflexive).toEqual({ address: '127.0.0.1', port: second.secured.localPort });
    expect(theirs.introductionId).toBe(mine.introductionId);
    expect(theirs.token).toEqual(mine.token);
    expect(mine).toMatchObject({ startInMs: 100, relayQuota: 0 });
  });

  test('can talk over the relay at once, and on when both have left the mediator', async () => {
    const where = await startMediator([ann, bob]);
    const { first, second, introductions } = await introduce(where);
    const [one, other] = await openRelay(where, introductions[0]);
    first.destroy();
    second.close();
    await Promise.all([closed(first.secured), closed(second.secured)]);
    one.end('hello');
    expect(String(await readToEnd(other))).toBe('hello');
  });

  test('learn that the other left, and are introduced anew when it is back or asks to meet', async () => {
    const where = await startMediator([ann, bob]);
    const { first, second, introductions } = await introduce(where);
    second.destroy();
    await first.take('waiting');
    const back = await registerWith(where, bob, ann.id);
    await back.take('introduction');
    const again = await first.take('introduction');
    expect(again.token).not.toEqual(introductions[0].token);
    await first.meet();
    await back.take('introduction');
  });
});

test('one that was not named back waits, as does one that wants a stranger: the two look the same', async () => {
  const where = await startMediator([ann, bob, cat]);
  const clients = [
    await registerWith(where, ann, bob.id),
    await registerWith(where, bob, cat.id),
    await registerWith(where, cat, 'f'.repeat(64)),
  ];
  for (const client of clients) {
    await client.take('waiting');
    client.send({ kind: 'meet' });
    expect(await client.settle()).toEqual([]);
  }
});

test('a newer registration of the same pair is told to the older, which is let go', async () => {
  const where = await startMediator([ann, bob]);
  const { first, second } = await introduce(where);
  const newer = await registerWith(where, ann, bob.id);
  await first.take('replaced');
  expect(await first.closed).toEqual([]);
  await newer.take('introduction');
  await second.take('introduction');
  expect(await second.settle()).toEqual([]);
});

test('one person may wait for several at once', async () => {
  const where = await startMediator([ann, bob, cat]);
  const { first } = await introduce(where, [ann, bob]);
  const { second } = await introduce(where, [ann, cat]);
  expect(await first.settle()).toEqual([]);
  second.destroy();
  await closed(second.secured);
  expect(await first.settle()).toEqual([]);
});

describe('without the relay', () => {
  test('the quota is told, and holds', async () => {
    const where = await startMediator([ann, bob], {
      relay: { ...UNLIMITED_RELAY, sessions: false },
    });
    const { introductions } = await introduce(where);
    expect(introductions.map(({ relayQuota }) => relayQuota)).toEqual([RELAY_SIGNALLING_BYTES, RELAY_SIGNALLING_BYTES]);
    const [one, other] = await openRelay(where, introductions[0]);
    one.write(Buffer.alloc(RELAY_SIGNALLING_BYTES));
    let received = 0;
    other.on('data', ({ length }: Buffer) => {
      received += length;
    });
    await expect.poll(() => received).toBe(RELAY_SIGNALLING_BYTES);
    one.write('x');
    await Promise.all([closed(one), closed(other)]);
    expect(received).toBe(RELAY_SIGNALLING_BYTES);
  });
});

describe('the directory decides', () => {
  test('a key that is added is admitted within a second', async () => {
    const changes = new EventEmitter();
    const where = await startMediator([ann], { onKeys: (count) => changes.emit('keys', count) });
    await expect(registerWith(where, bob, ann.id)).rejects.toThrow(RefusedByMediator);
    const passedMs = ownTime();
    const changed = once(changes, 'keys', { signal: AbortSignal.timeout(5_000) });
    await putKey(where.certs, 'bob', bob);
    expect(await changed).toEqual([2]);
    expect(passedMs()).toBeLessThan(1_000);
    await (await registerWith(where, bob, ann.id)).take('waiting');
  });

  test('a key that is removed loses its connections and relays within a second, and nobody else loses any', async () => {
    const where = await startMediator([ann, bob, cat]);
    const { first, second, introductions } = await introduce(where, [ann, bob]);
    const [mine, theirs] = await openRelay(where, introductions[0]);
    const others = await introduce(where, [ann, cat]);
    const [kept] = await openRelay(where, others.introductions[0]);
    const passedMs = ownTime();
    await rm(join(where.certs, `${bob.id}.pem`));
    await second.take('goodbye');
    await second.closed;
    for (const end of [mine, theirs]) {
      end.resume();
      await closed(end);
    }
    expect(passedMs()).toBeLessThan(1_000);
    await first.take('waiting');
    expect(await others.first.settle()).toEqual([]);
    expect(kept.destroyed).toBe(false);
    await expect(registerWith(where, bob, ann.id)).rejects.toThrow(RefusedByMediator);
  });
});

describe('stopping', () => {
  test('says goodbye to every peer and leaves no socket', async () => {
    const before = openSockets();
    const where = await startMediator([ann, bob]);
    const { first, second, introductions } = await introduce(where);
    const relay = await openRelay(where, introductions[0]);
    const stranger = await connectTo(where);
    for (const socket of [...relay, stranger]) socket.resume();

    const passedMs = ownTime();
    const stopped = where.mediator.stop('the test says so');
    for (const client of [first, second]) {
      expect(await client.take('goodbye')).toEqual({ kind: 'goodbye', reason: 'the test says so' });
      await client.closed;
    }
    await Promise.all([...relay, stranger].map(closed));
    await stopped;
    expect(passedMs()).toBeLessThan(2_000);
    await expect.poll(openSockets).toBe(before);
  });

  test('takes little more than a second even if a peer does not read', async () => {
    const where = await startMediator([ann, bob]);
    const { first } = await introduce(where);
    first.secured.pause();
    onTestFinished(() => first.destroy());
    const passedMs = ownTime();
    await where.mediator.stop('the test says so');
    expect(passedMs()).toBeLessThan(2_500);
  });
});

test('nothing that strangers do is seen by the peers', async () => {
  const where = await startMediator([ann, bob]);
  const { first, second, introductions } = await introduce(where);
  const strangers = await Promise.all(Array.from({ length: 50 }, () => connectTo(where)));
  strangers.forEach((socket, index) => {
    if (index % 3 === 0) socket.write('GET / HTTP/1.0\r\n\r\n'.repeat(10));
    if (index % 3 === 1) socket.write(Buffer.concat([Buffer.from('1603010200', 'hex'), Buffer.alloc(512, index)]));
  });
  await Promise.allSettled(Array.from({ length: 20 }, () => registerWith(where, cat, ann.id)));
  for (const client of [first, second] satisfies MediatorClient[]) expect(await client.settle()).toEqual([]);
  const [one, other] = await openRelay(where, introductions[0]);
  one.write('hello');
  expect(String(await once(other, 'data'))).toBe('hello');
  for (const socket of strangers) socket.destroy();
});

test('a relay stream without its other end does not hold up the introduction that follows', async () => {
  const where = await startMediator([ann, bob]);
  const { first, second, introductions } = await introduce(where);
  await openRelayStream(where, introductions[0], 'client');
  await first.meet();
  const again: Introduction = await second.take('introduction');
  const [one, other] = await openRelay(where, again);
  one.write('hello');
  expect(String(await once(other, 'data'))).toBe('hello');
});

test('who asks for probes again has one key, the last', async () => {
  const running = await startMediator([ann]);
  const client = await registerWith(running, ann, bob.id);
  await client.take('waiting');
  const keys: Buffer[] = [];
  for (let times = 0; times < 2; times++) {
    client.send({ kind: 'wantProbes' });
    keys.push((await client.take('probes')).probeKey);
  }
  const socket = dgram.createSocket('udp4');
  onTestFinished(() => void socket.close());
  const [port] = running.mediator.udpPorts;
  // In this order, and to one port: if the first were answered, its answer would be the first.
  for (const key of keys) socket.send(encodeProbe(key, { nonce: Buffer.alloc(8, 1), cookie: null }), port, '127.0.0.1');
  const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(5_000) })) as [Buffer];
  expect(keys.map((key) => decodeProbeReply(key, reply) !== null)).toEqual([false, true]);
});
