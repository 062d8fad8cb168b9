import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RELAY_SIGNALLING_BYTES } from '../../../src/protocol/constants.js';
import { prefaceOf, readPreface } from '../../../src/protocol/preface.js';
import type { Role } from '../../../src/protocol/transcripts.js';
import type { RelayLimits } from '../../../src/server/relay/allowances.js';
import { MAX_RELAYS_PER_PAIR, Relays, type RelaysOptions } from '../../../src/server/relay/relays.js';
import { connectTo } from '../../support/mediator-client.js';
import { ownTime } from '../../support/own-time.js';
import { UNLIMITED_RELAY } from '../../support/relay.js';
import { closed, readToEnd } from '../../support/streams.js';

const [ann, bob, cat] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];
const MIB = 1024 * 1024;

interface RelayPortOptions extends Partial<RelayLimits>, Omit<Partial<RelaysOptions>, 'limits'> {
  /** Of each relay. */
  quota?: number;
}

/** Relays behind a port, as the mediator has them. */
class RelayPort extends EventEmitter<{ stream: [net.Socket, boolean] }> {
  readonly relays: Relays;
  readonly #quota: number;
  readonly #server: net.Server;
  readonly #sockets: net.Socket[] = [];

  private constructor({ quota = 0, unusedMs, ...limits }: RelayPortOptions) {
    super();
    this.#quota = quota;
    this.relays = new Relays({
      limits: { ...UNLIMITED_RELAY, ...limits },
      ...(unusedMs !== undefined && { unusedMs }),
    });
    this.#server = net.createServer({ allowHalfOpen: true }, async (socket) => {
      this.#sockets.push(socket);
      socket.on('error', () => {});
      const preface = await readPreface(socket, AbortSignal.timeout(5_000));
      const expected = this.relays.accept(socket, preface);
      if (!expected) socket.destroy();
      this.emit('stream', socket, expected);
    });
  }

  static async open(options: RelayPortOptions = {}): Promise<RelayPort> {
    const port = new RelayPort(options);
    port.#server.listen(0, '127.0.0.1');
    await once(port.#server, 'listening');
    onTestFinished(async () => {
      port.relays.stop();
      for (const socket of port.#sockets) socket.destroy();
      port.#server.close();
      await once(port.#server, 'close');
    });
    return port;
  }

  expect(ids: readonly [string, string], token: Buffer): void {
    this.relays.expect(ids, token, this.#quota);
  }

  /** Dials, says its preface, and waits until the relay has dealt with it. */
  async dial(token: Buffer, role: Role): Promise<{ near: net.Socket; far: net.Socket; expected: boolean }> {
    const near = await connectTo({ port: (this.#server.address() as AddressInfo).port });
    const dealt = once(this, 'stream', { signal: AbortSignal.timeout(5_000) }) as Promise<[net.Socket, boolean]>;
    near.write(prefaceOf(token, role));
    const [far, expected] = await dealt;
    return { near, far, expected };
  }

  /** Two peers with a relay between them, prefaces exchanged; `far` are the relay's ends. */
  async join(ids: readonly [string, string] = [ann, bob]) {
    const token = randomBytes(32);
    this.expect(ids, token);
    const client = await this.dial(token, 'client');
    const server = await this.dial(token, 'server');
    for (const { near } of [client, server]) await readPreface(near, AbortSignal.timeout(5_000));
    return { client: client.near, server: server.near, far: { client: client.far, server: server.far } };
  }
}

describe('two streams with the prefaces of one token', () => {
  test.each([
    ['client', 'server'],
    ['server', 'client'],
  ] as const)('are joined when the %s comes first, and each gets the other’s preface', async (first, second) => {
    const port = await RelayPort.open();
    const token = randomBytes(32);
    port.expect([ann, bob], token);
    const one = (await port.dial(token, first)).near;
    one.write('said before the other came');
    const other = (await port.dial(token, second)).near;
    expect(await readPreface(one, AbortSignal.timeout(5_000))).toEqual(prefaceOf(token, second));
    expect(await readPreface(other, AbortSignal.timeout(5_000))).toEqual(prefaceOf(token, first));
    one.end();
    expect(String(await readToEnd(other))).toBe('said before the other came');
  });

  test('carry everything both ways, unchanged', async () => {
    const { client, server } = await (await RelayPort.open()).join();
    const [up, down] = [randomBytes(8 * MIB), randomBytes(8 * MIB)];
    client.end(up);
    server.end(down);
    const [gotDown, gotUp] = await Promise.all([readToEnd(client), readToEnd(server)]);
    expect(gotUp.equals(up)).toBe(true);
    expect(gotDown.equals(down)).toBe(true);
  });

  test('carry the end of one direction across, and the other direction goes on', async () => {
    const { client, server } = await (await RelayPort.open()).join();
    server.allowHalfOpen = true;
    const heard: Buffer[] = [];
    server.on('data', (chunk: Buffer) => heard.push(chunk));
    client.end('last words');
    await once(server, 'end');
    expect(Buffer.concat(heard).toString()).toBe('last words');
    server.end('and an answer');
    expect(String(await readToEnd(client))).toBe('and an answer');
  });

  test.each(['client', 'server'] as const)('both end when that of the %s fails', async (failing) => {
    const { client, server } = await (await RelayPort.open()).join();
    const [broken, other] = failing === 'client' ? [client, server] : [server, client];
    broken.resetAndDestroy();
    other.resume();
    await closed(other);
  });

  test('hold little when one end does not read, and lose nothing when it does', async () => {
    const { client, server, far } = await (await RelayPort.open()).join();
    const chunk = randomBytes(MIB);
    const hash = createHash('sha256');
    for (let sent = 0; sent < 64; sent++) {
      hash.update(chunk);
      client.write(chunk);
    }
    client.end();
    // The relay stopped reading: what waits is with the sender, and in the kernel's buffers.
    await expect.poll(() => far.client.isPaused() && far.server.writableNeedDrain, { timeout: 10_000 }).toBe(true);
    expect(far.server.writableLength).toBeLessThan(MIB);
    expect(far.client.readableLength).toBeLessThan(MIB);
    expect(far.client.bytesRead).toBeLessThan(32 * MIB);

    const received = await readToEnd(server);
    expect(received).toHaveLength(64 * MIB);
    expect(createHash('sha256').update(received).digest()).toEqual(hash.digest());
  });
});

describe('a quota', () => {
  test('that is not exceeded lets everything through', async () => {
    const { client, server } = await (await RelayPort.open({ quota: 1000 })).join();
    client.end(randomBytes(600));
    server.end(randomBytes(400));
    const [down, up] = await Promise.all([readToEnd(client), readToEnd(server)]);
    expect([up.length, down.length]).toEqual([600, 400]);
  });

  test('that one byte exceeds, both ways together, cuts both', async () => {
    const { client, server } = await (await RelayPort.open({ quota: 1000 })).join();
    client.write(randomBytes(600));
    const [first] = (await once(server, 'data')) as [Buffer];
    server.write(randomBytes(401));
    const [down] = await Promise.all([readToEnd(client), closed(server)]);
    expect(first).toHaveLength(600);
    expect(down.length).toBeLessThanOrEqual(400);
  });

  test('is that of one relay, not of the pair', async () => {
    const port = await RelayPort.open({ quota: 1000 });
    for (let relays = 0; relays < 3; relays++) {
      const { client, server } = await port.join();
      client.end(randomBytes(1000));
      server.end();
      expect(await readToEnd(server)).toHaveLength(1000);
    }
  });
});

describe('the limits of a pair', () => {
  test('its rate is that of all its relays together, and no other pair’s', async () => {
    const port = await RelayPort.open({ bytesPerSecond: 4 * MIB });
    const startedAt = performance.now();
    const took = async (ids: readonly [string, string]) => {
      const { client, server } = await port.join(ids);
      client.end(Buffer.alloc(4 * MIB));
      expect(await readToEnd(server)).toHaveLength(4 * MIB);
      return performance.now() - startedAt;
    };
    const [one, again, other] = await Promise.all([took([ann, bob]), took([bob, ann]), took([ann, cat])]);
    expect(Math.max(one, again)).toBeGreaterThan(950);
    expect(other).toBeLessThan(Math.max(one, again));
  });

  test('a rate slows a stream down in small steps', async () => {
    const { client, server } = await (await RelayPort.open({ bytesPerSecond: 512 * 1024 })).join();
    client.end(Buffer.alloc(768 * 1024));
    const gaps: number[] = [];
    const passedMs = ownTime();
    let last = 0;
    server.on('data', () => {
      gaps.push(passedMs() - last);
      last = passedMs();
    });
    await closed(server);
    expect(Math.max(...gaps)).toBeLessThan(400);
  });

  test('its allowance for the day ends its relays when it is used up, and leaves enough to find another path', async () => {
    const port = await RelayPort.open({ bytesPerDay: 1000 });
    expect(port.relays.quotaFor([ann, bob])).toBe(0);
    const first = await port.join([ann, bob]);
    first.client.end(Buffer.alloc(600));
    first.server.end();
    expect(await readToEnd(first.server)).toHaveLength(600);

    const second = await port.join([bob, ann]);
    second.client.write(Buffer.alloc(600));
    second.client.resume();
    expect(await readToEnd(second.server)).toHaveLength(400);
    await closed(second.client);
    expect(port.relays.quotaFor([bob, ann])).toBe(RELAY_SIGNALLING_BYTES);
    expect(port.relays.quotaFor([ann, cat])).toBe(0);
  });

  test('a pair with many relays gets no more than a pair with one', async () => {
    const port = await RelayPort.open();
    let stopped = false;
    const flood = async (ids: readonly [string, string], relays: number) => {
      let received = 0;
      for (let count = 0; count < relays; count++) {
        const { client, server } = await port.join(ids);
        const chunk = Buffer.alloc(MIB);
        const pump = () => {
          while (!stopped && client.write(chunk));
        };
        client.on('drain', pump);
        server.on('data', ({ length }: Buffer) => {
          received += length;
        });
        pump();
      }
      return () => received;
    };
    const many = await flood([ann, bob], 8);
    const one = await flood([ann, cat], 1);
    const before = many();
    await expect.poll(one, { timeout: 20_000 }).toBeGreaterThan(64 * MIB);
    stopped = true;
    expect(many() - before).toBeLessThan(2.5 * one());
  });
});

describe('a token', () => {
  test('opens nothing for a role that has used it', async () => {
    const port = await RelayPort.open();
    const token = randomBytes(32);
    port.expect([ann, bob], token);
    expect((await port.dial(token, 'client')).expected).toBe(true);
    expect((await port.dial(token, 'client')).expected).toBe(false);
    expect((await port.dial(token, 'server')).expected).toBe(true);
    for (const role of ['client', 'server'] as const) expect((await port.dial(token, role)).expected).toBe(false);
  });

  test('that nobody expects opens nothing', async () => {
    const port = await RelayPort.open();
    const { near, expected } = await port.dial(randomBytes(32), 'client');
    expect(expected).toBe(false);
    expect(await readToEnd(near)).toHaveLength(0);
  });

  test('that was not used in time opens nothing, and who waited with it is let go', async () => {
    const port = await RelayPort.open({ unusedMs: 300 });
    const token = randomBytes(32);
    port.expect([ann, bob], token);
    const { near } = await port.dial(token, 'client');
    expect(await readToEnd(near)).toHaveLength(0);
    expect((await port.dial(token, 'server')).expected).toBe(false);
  });

  test('that was used in time stays open for longer', async () => {
    const port = await RelayPort.open({ unusedMs: 300 });
    const { client, server } = await port.join();
    const unused = randomBytes(32);
    port.expect([ann, bob], unused);
    const { near } = await port.dial(unused, 'client');
    await closed(near);
    client.write('still there');
    expect(String(await once(server, 'data'))).toBe('still there');
  });

  test('whose first user has gone opens nothing', async () => {
    const port = await RelayPort.open();
    const token = randomBytes(32);
    port.expect([ann, bob], token);
    const { near, far } = await port.dial(token, 'client');
    near.resetAndDestroy();
    await closed(far);
    expect((await port.dial(token, 'server')).expected).toBe(false);
  });
});

test('a pair keeps its newest relays, and those of other pairs are left alone', async () => {
  const port = await RelayPort.open();
  const other = await port.join([ann, cat]);
  const joined = [];
  for (let relays = 0; relays <= MAX_RELAYS_PER_PAIR; relays++) {
    // Named in either order it is the same pair.
    joined.push(await port.join(relays % 2 ? [ann, bob] : [bob, ann]));
  }
  const [oldest, ...rest] = joined;
  oldest?.client.resume();
  if (oldest) await closed(oldest.client);
  for (const { client, server } of [...rest, other]) {
    client.write('alive');
    expect(String(await once(server, 'data'))).toBe('alive');
  }
});

test('cutting an id ends its relays, joined or waiting, and no other', async () => {
  const port = await RelayPort.open();
  const [joined, other] = [await port.join([ann, bob]), await port.join([bob, cat])];
  const [waiting, unused] = [randomBytes(32), randomBytes(32)];
  port.expect([cat, ann], waiting);
  port.expect([ann, cat], unused);
  const { near } = await port.dial(waiting, 'client');
  port.relays.cut(ann);
  for (const socket of [joined.client, joined.server, near]) {
    socket.resume();
    await closed(socket);
  }
  expect((await port.dial(unused, 'client')).expected).toBe(false);
  other.client.write('alive');
  expect(String(await once(other.server, 'data'))).toBe('alive');
});

test('stopping ends all of them, and leaves no timer', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const port = await RelayPort.open();
  const { client, server } = await port.join();
  const before = timers();
  port.expect([ann, cat], randomBytes(32));
  port.expect([ann, cat], randomBytes(32));
  expect(timers()).toBe(before + 2);
  port.relays.stop();
  expect(timers()).toBe(before);
  await Promise.all([readToEnd(client), readToEnd(server)]);
});
