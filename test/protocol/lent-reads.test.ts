import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lendReads, readNoFurther } from '../../src/protocol/lent-reads.js';
import { PREFACE_BYTES, prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { tlsClient, tlsServer } from '../../src/protocol/tls.js';
import { newPair } from '../support/credentials.js';
import { socketPair } from '../support/streams.js';
import { tlsPair } from '../support/tls-pair.js';

const { small, great } = newPair();
const never = new AbortController().signal;
const MUCH = randomBytes(3 * 1024 * 1024);

/** Takes in all that comes by either way, in the order in which it comes. */
function listen(socket: TLSSocket) {
  const pieces: Buffer[] = [];
  const lent = new Set<ArrayBufferLike>();
  let lentBytes = 0;
  socket.on('data', (bytes: Buffer) => pieces.push(Buffer.from(bytes)));
  lendReads(socket, (bytes) => {
    lent.add(bytes.buffer);
    lentBytes += bytes.length;
    pieces.push(Buffer.from(bytes));
  });
  return { pieces, lent, lentBytes: () => lentBytes, all: () => Buffer.concat(pieces) };
}

describe('what comes over TLS', () => {
  test.each(['client', 'server'])('to the %s lies in one piece of memory, again and again', async (side) => {
    const [client, server] = await tlsPair();
    const [from, to] = side === 'client' ? [server, client] : [client, server];
    const { lent, lentBytes, all } = listen(to);
    from.end(MUCH);
    await once(to, 'end');
    expect(all().equals(MUCH)).toBe(true);
    // Should another Node do it otherwise, everything works as before, but slower.
    expect(lent.size).toBe(1);
    expect(lentBytes()).toBe(MUCH.length);
  });

  test('and had come before anyone lent memory, comes first', async () => {
    const [client, server] = await tlsPair();
    client.write('before ');
    await once(server, 'readable');
    const { all, lentBytes } = listen(server);
    server.resume();
    client.end('after');
    await once(server, 'end');
    expect(all().toString()).toBe('before after');
    expect(lentBytes()).toBe('after'.length);
  });

  test('comes whole and in order, whenever the reader pauses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }), async (pauses) => {
        const [client, server] = await tlsPair();
        const hash = createHash('sha256');
        let taken = 0;
        const take = (bytes: Buffer) => {
          hash.update(bytes);
          taken += 1;
          if (!pauses[taken % pauses.length]) return;
          server.pause();
          setImmediate(() => server.resume());
        };
        server.on('data', take);
        lendReads(server, take);
        client.end(MUCH);
        await once(server, 'end');
        expect(hash.digest('hex')).toBe(createHash('sha256').update(MUCH).digest('hex'));
      }),
      { numRuns: 10 },
    );
  });

  test('waits for a reader that pauses, and its end with it', async () => {
    const [client, server] = await tlsPair();
    const { all } = listen(server);
    let ended = false;
    server.on('end', () => {
      ended = true;
    });
    server.pause();
    client.end('the last words');
    await once(client, 'finish');
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(all()).toHaveLength(0);
    expect(ended).toBe(false);
    server.resume();
    await once(server, 'end');
    expect(all().toString()).toBe('the last words');
  });
});

describe('where Node cannot lend memory', () => {
  test('everything is emitted as data', async () => {
    const [client, server] = await tlsPair();
    Object.defineProperty(Reflect.get(server, '_handle'), 'useUserBuffer', { value: undefined });
    const { all, lentBytes } = listen(server);
    client.end(MUCH);
    await once(server, 'end');
    expect(all().equals(MUCH)).toBe(true);
    expect(lentBytes()).toBe(0);
  });

  test('so it is of a stream that is no TLS', async () => {
    const [dialled, accepted] = await socketPair();
    accepted.resume();
    lendReads(accepted, () => expect.unreachable());
    const [[bytes]] = await Promise.all([once(accepted, 'data'), dialled.write('abc')]);
    expect(bytes.toString()).toBe('abc');
  });
});

describe('of a socket that is read no further than the first bytes', () => {
  test('these come alone, and the others when they are read on purpose', async () => {
    const [dialled, accepted] = await socketPair();
    readNoFurther(accepted, 40);
    dialled.write(MUCH.subarray(0, 3000));
    await once(accepted, 'readable');
    // Should another Node do it otherwise, all that has come is here.
    expect(accepted.read()).toEqual(MUCH.subarray(0, 40));
    const rest: Buffer[] = [];
    accepted.on('data', (bytes: Buffer) => rest.push(bytes));
    dialled.end(MUCH.subarray(3000, 30_000));
    await once(accepted, 'end');
    expect(Buffer.concat(rest).equals(MUCH.subarray(40, 30_000))).toBe(true);
  });

  test.each([
    ['at once', [PREFACE_BYTES]],
    ['in pieces', [1, 24, PREFACE_BYTES]],
  ])('TLS follows without a pause, whether these come %s', async (_, ends) => {
    const [dialled, accepted] = await socketPair();
    readNoFurther(accepted, PREFACE_BYTES);
    const preface = prefaceOf(randomBytes(32), 'client');
    for (const [index, end] of ends.slice(0, -1).entries()) {
      dialled.write(preface.subarray(ends[index - 1] ?? 0, end));
      while (accepted.bytesRead < end) await new Promise(setImmediate);
    }
    dialled.write(preface.subarray(ends.at(-2) ?? 0));
    const client = tlsClient(dialled, small, () => {}, never);
    expect(await readPreface(accepted, never)).toEqual(preface);
    expect(accepted.readableLength).toBe(0);
    const server = await tlsServer(accepted, great, () => {}, never);
    (await client).end('hello');
    const [bytes] = await once(server, 'data');
    expect(bytes.toString()).toBe('hello');
  });
});
