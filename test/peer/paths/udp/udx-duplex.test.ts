import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openUdpSocket, type UdpSocket } from '../../../../src/peer/paths/udp/udx.js';
import { UdxDuplex, type UdxStream, WINDOW_BYTES } from '../../../../src/peer/paths/udp/udx-duplex.js';
import { ProtocolError } from '../../../../src/protocol/errors.js';
import { selfSignedCertificate } from '../../../../src/protocol/forge.js';
import { tlsClient, tlsServer } from '../../../../src/protocol/tls.js';
import { newIdentity } from '../../../support/keys.js';

let sockets: UdpSocket[];
let one: Duplex;
let other: Duplex;

beforeEach(async () => {
  const opened = await Promise.all([openUdpSocket(4), openUdpSocket(4)]);
  sockets = opened.filter((socket) => socket !== null);
  const [mine, theirs] = sockets;
  if (!mine || !theirs) throw new Error('no UDP here');
  one = mine.openStream(1, 2, { address: '127.0.0.1', port: theirs.port });
  other = theirs.openStream(2, 1, { address: '127.0.0.1', port: mine.port });
  for (const stream of [one, other]) stream.on('error', () => {});
});

afterEach(() => {
  one.destroy();
  other.destroy();
});

/** Of all that comes until the end. */
function hashOf(stream: Duplex): Promise<string> {
  const hash = createHash('sha256');
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk) => hash.update(chunk));
    stream.on('end', () => resolve(hash.digest('hex')));
    stream.on('error', reject);
  });
}

describe('a stream over UDP', () => {
  test('carries megabytes both ways at once, in order and whole, to an end that both see', async () => {
    const [there, back] = [randomBytes(5_000_000), randomBytes(3_000_000)];
    const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    const hashes = Promise.all([hashOf(other), hashOf(one)]);
    one.end(there);
    other.end(back);
    expect(await hashes).toEqual([sha(there), sha(back)]);
  });

  test('holds back a writer whose reader does not read, and goes on when it does', async () => {
    const bytes = randomBytes(3 * WINDOW_BYTES);
    one.end(bytes);
    await until(() => other.readableLength > WINDOW_BYTES / 2);
    while ((await stillFor(300, () => other.readableLength)) === false);
    expect(other.readableLength).toBeLessThanOrEqual(WINDOW_BYTES);
    const read: Buffer[] = [];
    for await (const chunk of other) read.push(chunk);
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
  });

  test('goes on one way after the other has ended', async () => {
    one.end('that was all');
    expect(await hashOf(other)).toBe(createHash('sha256').update('that was all').digest('hex'));
    const answer = randomBytes(2 * WINDOW_BYTES);
    other.end(answer);
    expect(await hashOf(one)).toBe(createHash('sha256').update(answer).digest('hex'));
  });

  test('carries TLS, which needs a Node stream', async () => {
    const credentials = () => {
      const identity = newIdentity();
      return { identity, certificate: selfSignedCertificate(identity) };
    };
    const signal = AbortSignal.timeout(5_000);
    const [client, server] = await Promise.all([
      tlsClient(one, credentials(), () => {}, signal),
      tlsServer(other, credentials(), () => {}, signal),
    ]);
    client.write('good evening');
    expect(String((await once(server, 'data'))[0])).toBe('good evening');
    server.write('good morning');
    expect(String((await once(client, 'data'))[0])).toBe('good morning');
  });

  test('that is destroyed ends the other end too', async () => {
    one.write('x');
    await once(other, 'data');
    const closed = closing(other);
    one.destroy();
    await closed;
  });

  test('keeps its socket for as long as it lives', async () => {
    sockets[0]?.release();
    one.write('still there');
    expect(String((await once(other, 'data'))[0])).toBe('still there');
  });
});

describe('a peer that breaks the rules of the stream is cut off:', () => {
  const header = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };

  test.each([
    ['it sends more than it may', [header(WINDOW_BYTES + 1)]],
    ['it sends after its end', [header(0), header(1), Buffer.of(1)]],
    ['it ends twice', [header(0), header(0)]],
    ['it says that more was read than was sent', [header(0x8000_0001)]],
  ])('%s', async (_, frames) => {
    const raw = new RawStream();
    const duplex = new UdxDuplex(raw);
    for (const frame of frames) raw.emit('data', frame);
    expect((await once(duplex, 'error'))[0]).toBeInstanceOf(ProtocolError);
    expect(duplex.destroyed).toBe(true);
  });

  test('but not if its headers come byte by byte', async () => {
    const raw = new RawStream();
    const duplex = new UdxDuplex(raw);
    const bytes = Buffer.concat([
      header(5),
      Buffer.from('hello'),
      header(0x8000_0000),
      header(1),
      Buffer.from('!'),
      header(0),
    ]);
    for (const byte of bytes) raw.emit('data', Buffer.of(byte));
    const words: string[] = [];
    for await (const chunk of duplex) words.push(String(chunk));
    expect(words.join('')).toBe('hello!');
  });
});

describe('packets that come in one turn', () => {
  test('are read together, from one memory or several', async () => {
    const raw = new RawStream();
    const duplex = new UdxDuplex(raw);
    const wire = Buffer.from('\0\0\0\x0bhello there');
    for (const packet of [wire.subarray(0, 6), wire.subarray(6, 9), Buffer.from(' t'), Buffer.from('here')])
      raw.emit('data', packet);
    const reads: string[] = [];
    duplex.on('data', (bytes) => reads.push(String(bytes)));
    await new Promise(setImmediate);
    expect(reads).toEqual(['hello', ' t', 'here']);
  });

  test('are read though the stream closes in that turn', async () => {
    const raw = new RawStream();
    const duplex = new UdxDuplex(raw);
    for (const packet of ['\0\0\0\x05he', 'llo', '\0\0\0\0']) raw.emit('data', Buffer.from(packet));
    raw.emit('close');
    const reads: string[] = [];
    for await (const chunk of duplex) reads.push(String(chunk));
    expect(reads.join('')).toBe('hello');
  });
});

test('udx collects packets while more of a run is to come than it holds, and no longer', async () => {
  const raw = new RawStream();
  const asked: boolean[] = [];
  const duplex = new UdxDuplex(raw, (inBulk) => asked.push(inBulk));
  let read = 0;
  duplex.on('data', ({ length }) => {
    read += length;
  });
  const header = Buffer.alloc(4);
  header.writeUInt32BE(300 * 1024);
  raw.emit('data', header);
  await new Promise(setImmediate);
  expect(asked).toEqual([true]);
  const collected = Buffer.alloc(64 * 1024);
  for (const expected of [[true], [true], [true, false], [true, false]]) {
    raw.emit('data', collected);
    expect(asked).toEqual(expected);
  }
  raw.emit('data', Buffer.alloc(44 * 1024));
  await new Promise(setImmediate);
  expect(read).toBe(300 * 1024);
  expect(asked).toEqual([true, false]);
});

test('a run is written in one turn, uncopied behind its length, no further than the peer allows', async () => {
  const raw = new RawStream();
  const written: Buffer[] = [];
  raw.write = (bytes) => written.push(bytes) > 0;
  const duplex = new UdxDuplex(raw);
  const parts = [Buffer.alloc(WINDOW_BYTES - 1), Buffer.from('ab'), Buffer.alloc(0), Buffer.from('cd')];
  duplex.cork();
  for (const part of parts) duplex.write(part);
  duplex.uncork();
  expect(written.map(({ length }) => length)).toEqual([4, WINDOW_BYTES - 1, 1]);
  expect(written[0]?.readUInt32BE()).toBe(WINDOW_BYTES);
  expect(written[1]?.buffer).toBe(parts[0]?.buffer);
  raw.emit('data', Buffer.from([0x80, 0, 0, 3]));
  await new Promise(setImmediate);
  expect(Buffer.concat(written.slice(3)).toString()).toBe('\0\0\0\x03bcd');
});

/** The peer's side of the wire, played by the test. */
class RawStream extends EventEmitter implements UdxStream {
  write = (_: Buffer) => true;
  flush = async () => true;
  destroy = () => {};
}

function closing(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

/** Has it not changed in this time? */
async function stillFor(ms: number, look: () => number): Promise<boolean> {
  const before = look();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return look() === before;
}
