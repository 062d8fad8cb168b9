import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newIdentity, privatePem, publicPem } from '../support/keys.js';
import { connectTo, handshake, openRelay, RefusedByMediator, secure } from '../support/mediator-client.js';
import { ownTime } from '../support/own-time.js';
import { closed, readToEnd } from '../support/streams.js';
import { ann, bob, cat, ServerFixture } from './server-fixture.js';

const fixture = new ServerFixture();
const examples = resolve(import.meta.dirname, '../../certs');

test('hundreds of peers at once are all admitted, and introduced in pairs', async () => {
  const people = [ann, bob, cat, ...Array.from({ length: 15 }, () => newIdentity())];
  people.forEach((person, index) => void fixture.admit(String(index), person));
  const { server, port } = await fixture.start();
  const wishes = people.flatMap((me) => people.filter((other) => other !== me).map((other) => [me, other] as const));
  expect(wishes.length).toBeGreaterThan(300);

  const met = await Promise.all(
    wishes.map(async ([me, other]) => {
      const client = await fixture.register({ port }, me, other.id);
      const early = await client.settle();
      const kinds = early.map(({ kind }) => kind);
      const introduced = early.find((message) => message.kind === 'introduction');
      const { token, reflexive } = introduced ?? (await client.take('introduction'));
      expect(reflexive.port).toBe(client.secured.localPort);
      expect(['', 'waiting', 'introduction', 'waiting introduction']).toContain(kinds.join(' '));
      return { pair: [me.id, other.id].sort().join(' '), token: token.toString('hex') };
    }),
  );
  const tokens = new Map<string, Set<string>>();
  for (const { pair, token } of met) tokens.set(pair, (tokens.get(pair) ?? new Set()).add(token));
  expect(tokens.size).toBe(wishes.length / 2);
  for (const ofPair of tokens.values()) expect(ofPair.size).toBe(1);
  expect(new Set([...tokens.values()].map(([token]) => token)).size).toBe(tokens.size);
  expect(server.stderr).toBe('');
});

describe('the directory', () => {
  test('admits a key within a second of its coming, and disconnects it within a second of its going', async () => {
    fixture.admit('ann', ann);
    const { server, port } = await fixture.start();
    await expect(fixture.register({ port }, bob, ann.id)).rejects.toThrow(RefusedByMediator);
    const waiting = await fixture.register({ port }, ann, bob.id);
    await waiting.take('waiting');

    const addedMs = ownTime();
    mkdirSync(join(fixture.certs, 'friends'));
    writeFileSync(join(fixture.certs, 'friends', 'bob.pem'), publicPem(bob.privateKey));
    expect(await server.next('keys')).toEqual({ event: 'keys', keys: 2 });
    expect(addedMs()).toBeLessThan(1_000);
    const client = await fixture.register({ port }, bob, ann.id);
    await client.take('introduction');
    await waiting.take('introduction');

    const removedMs = ownTime();
    rmSync(join(fixture.certs, 'friends'), { recursive: true });
    await client.take('goodbye');
    await client.closed;
    expect(removedMs()).toBeLessThan(1_000);
    await waiting.take('waiting');
    await expect(fixture.register({ port }, bob, ann.id)).rejects.toThrow(RefusedByMediator);
  });

  test('skips private keys, rubbish and example keys with a warning, on stderr alone', async () => {
    fixture.admit('ann', ann);
    writeFileSync(join(fixture.certs, 'secret.pem'), privatePem(bob.privateKey));
    writeFileSync(join(fixture.certs, 'rubbish.pem'), 'hello');
    copyFileSync(join(examples, 'directory', 'alice.pem'), join(fixture.certs, 'alice.pem'));
    const { server, port } = await fixture.start();
    await expect(fixture.register({ port }, bob, ann.id)).rejects.toThrow(RefusedByMediator);
    await expect
      .poll(() => server.stderr, { timeout: 10_000 })
      .toMatch(/secret\.pem admits nobody: it holds a private/);
    await expect.poll(() => server.stderr, { timeout: 10_000 }).toMatch(/rubbish\.pem admits nobody: /);
    expect(server.stderr).toMatch(/alice\.pem is an example key/);
    expect(server.events).toEqual([expect.objectContaining({ event: 'listening', keys: 2 })]);
  });
});

describe('whatever strangers do', () => {
  test('peers from elsewhere get in, those who are in notice nothing, and the log names nobody', async () => {
    fixture.admit('ann', ann);
    fixture.admit('bob', bob);
    const { server, port } = await fixture.start();
    const { first } = await fixture.introduce({ port });
    const strangers = await Promise.all(Array.from({ length: 700 }, () => connectTo({ port })));
    onTestFinished(() => {
      for (const socket of strangers) socket.destroy();
    });
    strangers.forEach((socket, index) => {
      socket.resume();
      if (index % 4 === 0) socket.write(Buffer.from('160301', 'hex'));
      if (index % 4 === 1) socket.write('GET / HTTP/1.0\r\n\r\n');
    });
    const turnedAway = () => strangers.filter((socket) => socket.closed).length;
    await expect.poll(turnedAway, { timeout: 5_000 }).toBeGreaterThanOrEqual(700 - 512);

    const passedMs = ownTime();
    const newer = await fixture.register({ port, localAddress: '127.0.0.2' }, bob, ann.id);
    await newer.take('introduction');
    await first.take('introduction');
    expect(passedMs()).toBeLessThan(2_000);
    const refused = await secure(await connectTo({ port, localAddress: '127.0.0.3' }));
    expect((await handshake(refused, cat, ann.id)).kind).toBe('refused');

    expect(turnedAway()).toBeLessThan(700);
    expect(server.stderr).toMatch(/^p2p-server: warning: turning connections away: .*\n$/);
    for (const name of [ann.id, bob.id, cat.id, '127.0.0']) expect(server.stderr).not.toContain(name);
  });

  test('keys go on being read, and signatures checked', async () => {
    fixture.admit('ann', ann);
    const { server, port } = await fixture.start();
    const noisy = new AbortController();
    onTestFinished(() => noisy.abort());
    const noise = Array.from({ length: 8 }, async () => {
      while (!noisy.signal.aborted) {
        const socket = await connectTo({ port });
        socket.write(Buffer.concat([Buffer.from('16030100050100000100', 'hex'), Buffer.alloc(40, 7)]));
        socket.resume();
        await closed(socket);
      }
    });
    for (const [name, person] of Object.entries({ bob, cat })) {
      fixture.admit(name, person);
      await server.next('keys');
      await (await fixture.register({ port }, person, ann.id)).take('waiting');
    }
    noisy.abort();
    await Promise.all(noise);
    expect(server.stderr).toBe('');
  });
});

test.skipIf(process.platform !== 'linux')(
  'a relay whose reader stalls holds little memory, and slows no other down',
  async () => {
    fixture.admit('ann', ann);
    fixture.admit('bob', bob);
    const { server, port } = await fixture.start();
    const { first, introduction } = await fixture.introduce({ port });
    const [stalled] = await openRelay({ port }, introduction);
    const before = residentBytes(server.pid);
    const chunk = Buffer.alloc(1024 * 1024, 1);
    for (let sent = 0; sent < 256; sent++) stalled.write(chunk);

    const [sender, reader] = await openRelay({ port }, await first.meet());
    for (let sent = 0; sent < 128; sent++) sender.write(chunk);
    sender.end();
    expect(await readToEnd(reader)).toHaveLength(128 * chunk.length);
    expect(stalled.writableLength).toBeGreaterThan(200 * chunk.length);
    expect(residentBytes(server.pid) - before).toBeLessThan(64 * 1024 * 1024);
    stalled.destroy();
  },
);

function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}
