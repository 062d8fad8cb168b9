import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MAX_FRAME_UNPROVEN, PROTOCOL_VERSION } from '../../src/protocol/constants.js';
import { selfSignedCertificate } from '../../src/protocol/forge.js';
import { encodeFrame } from '../../src/protocol/frames.js';
import { answer, register } from '../../src/protocol/mediator-handshake.js';
import type { MediatorMessage } from '../../src/protocol/messages.js';
import { PREFACE_BYTES, prefaceOf } from '../../src/protocol/preface.js';
import { mediatorCodec } from '../../src/protocol/wire.js';
import { Door, type DoorOptions } from '../../src/server/door.js';
import { StrangerLimits } from '../../src/server/limits.js';
import { connectTo, handshake, secure } from '../support/mediator-client.js';
import { byteByByte, closed, readToEnd } from '../support/streams.js';
import { identity } from './fixture.js';

const [ann, bob] = [identity(0), identity(1)];
const own = identity(9);
const credentials = { identity: own, certificate: selfSignedCertificate(own) };

interface OpenDoor {
  where: { port: number };
  /** Ids that got in, with the place they came from. */
  admitted: string[];
  crowded: number;
}

/** A server whose connections all go through a door that knows Ann alone; gone after the test. */
async function openDoor(options: Partial<DoorOptions> = {}): Promise<OpenDoor> {
  const open: OpenDoor = { where: { port: 0 }, admitted: [], crowded: 0 };
  const door = new Door({
    credentials,
    keyOf: (id) => (id === ann.id ? ann.key : undefined),
    onProven: ({ registration, stream }, { address, port }) => {
      open.admitted.push(`${registration.peerId} ${address} ${port}`);
      stream.send({ kind: 'admitted', reflexive: { address, port }, nowMs: 7, followsSuccessions: false });
      stream.attach({ onMessage: () => {}, onClose: () => {} });
    },
    onRelayStream: () => false,
    onCrowded: () => {
      open.crowded += 1;
    },
    ...options,
  });
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    door.enter(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.where.port = (server.address() as AddressInfo).port;
  onTestFinished(async () => {
    door.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return open;
}

/** Everything that the door says, by TLS, to one who sends this and waits. */
async function answersTo({ where }: OpenDoor, bytes: Buffer): Promise<MediatorMessage[]> {
  const { secured, stream } = await secure(await connectTo(where));
  const answers: MediatorMessage[] = [];
  const ended = new Promise<void>((resolve) => {
    stream.attach({ onMessage: (message) => answers.push(message), onClose: () => resolve() });
  });
  secured.write(bytes);
  await ended;
  return answers;
}

function framed(message: MediatorMessage): Buffer {
  return encodeFrame(1, mediatorCodec.encode(message));
}

describe('a peer with a key of the directory', () => {
  test('is let in, and it is known from where it comes', async () => {
    const door = await openDoor();
    const socket = await connectTo(door.where);
    const verdict = await handshake(await secure(socket), ann, bob.id);
    expect(verdict).toEqual({
      kind: 'admitted',
      reflexive: { address: '127.0.0.1', port: socket.localPort },
      nowMs: 7,
      followsSuccessions: false,
    });
    expect(door.admitted).toEqual([`${ann.id} 127.0.0.1 ${socket.localPort}`]);
  });

  test('is let in however its bytes are sliced', async () => {
    const door = await openDoor();
    const socket = await connectTo(door.where);
    const verdict = await handshake(await secure(byteByByte(socket)), ann, bob.id);
    expect(verdict.kind).toBe('admitted');
  });
});

describe('one who is refused', () => {
  /** All that is to be seen from outside: messages, bytes on the wire, and when the refusal came, ms after the response. */
  async function refusal(door: OpenDoor, me: typeof ann, signer: typeof ann) {
    const socket = await connectTo(door.where);
    const mediator = await secure(socket);
    const startedAt = performance.now();
    const verdict = await handshake(mediator, { ...signer, id: me.id }, 'f'.repeat(64));
    const afterMs = performance.now() - startedAt;
    await closed(socket);
    return { verdict, bytes: socket.bytesRead, afterMs };
  }

  test('cannot tell whether its key is unknown or its signature wrong', async () => {
    const door = await openDoor();
    const rounds = Array.from({ length: 8 }, async () => {
      const [unknown, wrong] = await Promise.all([refusal(door, bob, bob), refusal(door, ann, bob)]);
      expect(unknown.verdict).toEqual({ kind: 'refused', reason: 'this key is not admitted here' });
      expect(wrong.verdict).toEqual(unknown.verdict);
      expect(wrong.bytes).toBe(unknown.bytes);
      return [unknown.afterMs, wrong.afterMs] as const;
    });
    const times = await Promise.all(rounds);
    for (const time of times.flat()) expect(time).toBeGreaterThanOrEqual(199);
    const difference = Math.abs(median(times.map(([unknown]) => unknown)) - median(times.map(([, wrong]) => wrong)));
    expect(difference).toBeLessThan(20);
    expect(door.admitted).toEqual([]);
  });

  test.each([
    ['connection', { exporter: randomBytes(32) }],
    ['mediator', { mediatorId: bob.id }],
    ['wanted peer', { wantedId: 'e'.repeat(64) }],
    ['challenge', { nonce: randomBytes(32) }],
  ])('may have signed with the right key, but for another %s', async (_, other) => {
    const door = await openDoor();
    const { stream, mediatorId, exporter } = await secure(await connectTo(door.where));
    stream.send(register(ann.id, bob.id));
    const { nonce } = (await stream.next(AbortSignal.timeout(5_000))) as Extract<MediatorMessage, { nonce: Buffer }>;
    const signed = { wantedId: bob.id, nonce, mediatorId, exporter, ...other };
    stream.send(answer(ann, signed.wantedId, signed.nonce, signed));
    expect((await stream.next(AbortSignal.timeout(5_000))).kind).toBe('refused');
    expect(door.admitted).toEqual([]);
  });

  test('hears nothing but a challenge and the refusal', async () => {
    const door = await openDoor();
    const response: MediatorMessage = { kind: 'response', signature: randomBytes(256) };
    const answers = await answersTo(door, Buffer.concat([framed(register(ann.id, bob.id)), framed(response)]));
    expect(answers.map(({ kind }) => kind)).toEqual(['challenge', 'refused']);
  });

  test.each([0, 1, 255, 257, 1024])('may sign with %i bytes', async (length) => {
    const door = await openDoor();
    const response: MediatorMessage = { kind: 'response', signature: Buffer.alloc(length, 1) };
    const answers = await answersTo(door, Buffer.concat([framed(register(ann.id, bob.id)), framed(response)]));
    expect(answers.map(({ kind }) => kind)).toEqual(['challenge', 'refused']);
  });
});

describe('one who breaks a rule of the handshake', () => {
  const version = PROTOCOL_VERSION;
  const rules: [string, Buffer][] = [
    ['begins with a response', framed({ kind: 'response', signature: randomBytes(256) })],
    ['asks to meet first', framed({ kind: 'meet' })],
    ['pings first', framed({ kind: 'ping', nonce: 1 })],
    ['wants itself', framed(register(ann.id, ann.id))],
    ['speaks another version', framed({ kind: 'register', version: version + 1, peerId: ann.id, wantedId: bob.id })],
    ['sends rubbish', encodeFrame(1, randomBytes(100))],
    ['sends an empty frame', encodeFrame(1, Buffer.alloc(0))],
    ['sends data', encodeFrame(2, randomBytes(100))],
    ['sends a frame of no known type', Buffer.from([7, 0, 0, 0, 1, 0])],
    ['announces a frame of 4 GiB', Buffer.from([1, 0xff, 0xff, 0xff, 0xff])],
  ];
  test.each(rules)('%s is shown out without a word', async (_, bytes) => {
    const door = await openDoor();
    expect(await answersTo(door, bytes)).toEqual([]);
  });

  test('registers twice is shown out after the challenge', async () => {
    const door = await openDoor();
    const answers = await answersTo(
      door,
      Buffer.concat([framed(register(ann.id, bob.id)), framed(register(ann.id, bob.id))]),
    );
    expect(answers.map(({ kind }) => kind)).toEqual(['challenge']);
  });

  test.each([
    [MAX_FRAME_UNPROVEN - 1, ['challenge']],
    [MAX_FRAME_UNPROVEN, ['challenge']],
    [MAX_FRAME_UNPROVEN + 1, []],
  ])('a frame of %i bytes is answered with %j', async (length, expected) => {
    const door = await openDoor({ deadlineMs: 1_000 });
    const message = mediatorCodec.encode(register(ann.id, bob.id));
    // An unknown field of bytes (number 127), which protobuf skips, fills it up.
    const filling = length - message.length - 4;
    const padded = Buffer.concat([
      message,
      Buffer.from([0xfa, 0x07, (filling & 0x7f) | 0x80, filling >> 7]),
      Buffer.alloc(filling),
    ]);
    expect(padded).toHaveLength(length);
    expect((await answersTo(door, encodeFrame(1, padded))).map(({ kind }) => kind)).toEqual(expected);
  });
});

describe('one who is slow', () => {
  const deadlineMs = 400;

  /** Says `bytes` and then nothing; resolves with what came back and how long it took until the connection was closed. */
  async function lingers(bytes: Buffer | null) {
    const door = await openDoor({ deadlineMs });
    const startedAt = performance.now();
    const socket = await connectTo(door.where);
    if (bytes) socket.write(bytes);
    const answer = await readToEnd(socket);
    return { answer, afterMs: performance.now() - startedAt };
  }

  test.each([
    ['says nothing', null],
    ['sends a first byte of TLS', Buffer.from([0x16])],
    ['sends half a TLS record', Buffer.from('160301020001', 'hex')],
    ['sends a first byte of a preface', Buffer.from('t')],
    ['sends a preface without its last byte', prefaceOf(randomBytes(32), 'client').subarray(0, PREFACE_BYTES - 1)],
  ])('and %s hears nothing, and is shown out at the deadline', async (_, bytes) => {
    const { answer, afterMs } = await lingers(bytes);
    expect(answer).toHaveLength(0);
    expect(afterMs).toBeGreaterThanOrEqual(deadlineMs - 10);
  });

  test.each([
    ['TLS', []],
    ['half a frame', [framed(register(ann.id, bob.id)).subarray(0, 20)]],
    ['its registration', [framed(register(ann.id, bob.id))]],
  ])('and stops after %s is shown out at the deadline', async (_, writes) => {
    const door = await openDoor({ deadlineMs });
    const startedAt = performance.now();
    const { secured, stream } = await secure(await connectTo(door.where));
    for (const bytes of writes) secured.write(bytes);
    stream.attach({ onMessage: () => {}, onClose: () => {} });
    await closed(secured);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(deadlineMs - 10);
  });

  test('and drips one byte at a time is shown out at the deadline all the same', async () => {
    const door = await openDoor({ deadlineMs });
    const startedAt = performance.now();
    const socket = await connectTo(door.where);
    const drip = setInterval(() => socket.write(Buffer.from([0x16])), 20);
    await closed(socket);
    clearInterval(drip);
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs * 5);
  });
});

describe('one who is no peer', () => {
  test.each([
    ['a web browser', Buffer.from(`GET / HTTP/1.1\r\nHost: ${'x'.repeat(100)}\r\n\r\n`)],
    ['a scanner', Buffer.alloc(200)],
    ['an unknown preface', prefaceOf(randomBytes(32), 'server')],
    ['rubbish that looks like TLS', Buffer.concat([Buffer.from('1603010200', 'hex'), randomBytes(512)])],
    ['a ServerHello', Buffer.concat([Buffer.from('160303020002000100', 'hex'), Buffer.alloc(507)])],
    ['a ClientHello of two records', Buffer.concat([Buffer.from('160301020001000400', 'hex'), Buffer.alloc(507)])],
    ['a record longer than any', Buffer.concat([Buffer.from('160301ffff01000100', 'hex'), Buffer.alloc(507)])],
  ])('such as %s gets no name, key or certificate', async (_, bytes) => {
    const door = await openDoor();
    const socket = await connectTo(door.where);
    socket.write(bytes);
    const answer = await readToEnd(socket);
    // OpenSSL answers what is not TLS with an alert of seven bytes.
    expect(answer.length).toBeLessThanOrEqual(7);
  });

  test('and ends its side at once is forgotten at once', async () => {
    const door = await openDoor();
    for (const bytes of ['', 't', '\x16', '\x16\x03\x01']) {
      const socket = await connectTo(door.where);
      socket.end(bytes);
      socket.resume();
      await closed(socket);
    }
  });
});

test('garbage right behind the handshake harms nobody', async () => {
  const door = await openDoor();
  const garbage = Buffer.concat([Buffer.from('1703030020', 'hex'), randomBytes(32)]);
  const raw = await connectTo(door.where);
  await secure(spoiled(raw, (write) => (write >= 2 ? garbage : Buffer.alloc(0))));
  await closed(raw);
  expect((await handshake(await secure(await connectTo(door.where)), ann, bob.id)).kind).toBe('admitted');
});

describe('when there are too many strangers', () => {
  test('the next takes the place of the one silent longest, and those who were let in do not count', async () => {
    const door = await openDoor({ limits: new StrangerLimits({ perNetwork: 2, inAll: 100 }) });
    for (let peers = 0; peers < 4; peers++) {
      expect((await handshake(await secure(await connectTo(door.where)), ann, bob.id)).kind).toBe('admitted');
    }
    const [first, second] = [await connectTo(door.where), await connectTo(door.where)];
    expect((await handshake(await secure(await connectTo(door.where)), ann, bob.id)).kind).toBe('admitted');
    await closed(first);
    expect(door.crowded).toBe(1);

    const elsewhere = await connectTo({ ...door.where, localAddress: '127.0.0.2' });
    expect((await handshake(await secure(elsewhere), ann, bob.id)).kind).toBe('admitted');
    second.end();
    second.resume();
    await closed(second);
    expect((await handshake(await secure(await connectTo(door.where)), ann, bob.id)).kind).toBe('admitted');
    expect(door.crowded).toBe(1);
  });

  test('a relay stream counts until its preface is known', async () => {
    const arrivals = new EventEmitter();
    const limits = new StrangerLimits({ perNetwork: 1, inAll: 1 });
    const door = await openDoor({ limits, onRelayStream: (stream) => arrivals.emit('stream', stream) });
    for (let streams = 0; streams < 3; streams++) {
      const arrived = once(arrivals, 'stream', { signal: AbortSignal.timeout(5_000) });
      const socket = await connectTo(door.where);
      socket.write(prefaceOf(randomBytes(32), 'client'));
      await arrived;
    }
    expect(door.crowded).toBe(0);
  });
});

/** Passes bytes on, and behind each write those that `spoil` makes of its number. */
function spoiled(inner: net.Socket, spoil: (write: number) => Buffer): Duplex {
  let writes = 0;
  const outer = new Duplex({
    read: () => inner.resume(),
    write: (chunk, _encoding, done) => {
      writes += 1;
      inner.write(Buffer.concat([chunk, spoil(writes)]), done);
    },
    final: (done) => void inner.end(done),
    destroy: (error, done) => {
      inner.destroy();
      done(error);
    },
  });
  inner.on('data', (chunk) => outer.push(chunk));
  inner.on('end', () => outer.push(null));
  return outer;
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
