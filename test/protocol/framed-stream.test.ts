import type { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { DATA_CHUNK_BYTES, MAX_FRAME_PEER } from '../../src/protocol/constants.js';
import { encodeData } from '../../src/protocol/data-frames.js';
import { LinkClosedError, ProtocolError } from '../../src/protocol/errors.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import { encodeFrame, FrameType } from '../../src/protocol/frames.js';
import type { PeerMessage } from '../../src/protocol/messages.js';
import { peerCodec } from '../../src/protocol/wire.js';
import { byteByByte, closed, readToEnd, socketPair } from '../support/streams.js';
import { tlsPair } from '../support/tls-pair.js';

const LIMIT = 4096;
/** More than the kernel's buffers for one connection over loopback hold. */
const FLOOD_BYTES = 12 * 1024 * 1024;
const never = new AbortController().signal;
const ping = (nonce: number): PeerMessage => ({ kind: 'ping', nonce });
const frameOf = (message: PeerMessage) => encodeFrame(FrameType.message, peerCodec.encode(message));
const framed = (duplex: Duplex) => new FramedStream(duplex, peerCodec, LIMIT);

async function framedPair() {
  const [a, b] = await socketPair();
  return { a: framed(a), b: framed(b), socketA: a, socketB: b };
}

/** Collects what an attached stream is given, until it closes. */
function listen(stream: FramedStream<PeerMessage>) {
  const messages: PeerMessage[] = [];
  const data: { stream: number; entry: number; offset: number; bytes: Buffer }[] = [];
  const ended = new Promise<Error>((resolve) => {
    stream.attach({
      onMessage: (message) => messages.push(message),
      onData: ({ stream, entry, offset, content }) => data.push({ stream, entry, offset, bytes: content }),
      onClose: resolve,
    });
  });
  return { messages, data, ended };
}

describe('messages', () => {
  test('come one by one when asked for, in order, however they were sent', async () => {
    const { a, socketB } = await framedPair();
    socketB.write(Buffer.concat([frameOf(ping(1)), frameOf(ping(2)), frameOf(ping(3)).subarray(0, 3)]));
    expect(await a.next(never)).toEqual(ping(1));
    expect(await a.next(never)).toEqual(ping(2));
    const third = a.next(never);
    socketB.write(frameOf(ping(3)).subarray(3));
    expect(await third).toEqual(ping(3));
  });

  test('come byte by byte both ways', async () => {
    const [one, other] = await socketPair();
    const [a, b] = [framed(byteByByte(one)), framed(byteByByte(other))];
    for (let nonce = 0; nonce < 5; nonce += 1) {
      a.send(ping(nonce));
      b.send(ping(nonce + 100));
      expect(await b.next(never)).toEqual(ping(nonce));
      expect(await a.next(never)).toEqual(ping(nonce + 100));
    }
  });

  test('left unasked for during a handshake are handed over when handlers are attached', async () => {
    const { a, socketB } = await framedPair();
    socketB.end(Buffer.concat([1, 2, 3].map((nonce) => frameOf(ping(nonce)))));
    expect(await a.next(never)).toEqual(ping(1));
    const { messages, ended } = listen(a);
    await ended;
    expect(messages).toEqual([ping(2), ping(3)]);
  });

  test('are not read ahead: nobody is made to hold what nobody asked for', async () => {
    const [one, other] = await socketPair();
    const a = framed(one);
    const flood = frameOf({ kind: 'end', reason: 'x'.repeat(LIMIT - 100) });
    const floods = Math.ceil(FLOOD_BYTES / flood.length);
    other.write(frameOf(ping(1)));
    for (let count = 0; count < floods; count += 1) other.write(flood);
    expect(await a.next(never)).toEqual(ping(1));
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect(one.bytesRead).toBeLessThan(FLOOD_BYTES / 4);

    let rest = 0;
    const all = new Promise<void>((resolve) => {
      a.attach({
        onMessage: () => {
          rest += 1;
          if (rest === floods) resolve();
        },
        onClose: () => {},
      });
    });
    await all;
  });

  test('and data reach the handlers in the order of sending', async () => {
    const { a, b } = await framedPair();
    const { messages, data, ended } = listen(b);
    const content = Buffer.from('content');
    a.send(ping(1));
    a.sendData(7, 8, 9, content);
    a.send(ping(2));
    a.end();
    await ended;
    expect(messages).toEqual([ping(1), ping(2)]);
    expect(data).toEqual([{ stream: 7, entry: 8, offset: 9, bytes: content }]);
  });
});

describe('a stream that breaks the rules is destroyed, with a ProtocolError:', () => {
  const cases: [string, Buffer][] = [
    ['a frame of unknown type', Buffer.from('0300000000', 'hex')],
    ['a frame beyond the limit', encodeFrame(FrameType.message, Buffer.alloc(LIMIT + 1))],
    ['a message that cannot be read', encodeFrame(FrameType.message, Buffer.from('ffff', 'hex'))],
    ['a message without content', encodeFrame(FrameType.message, Buffer.alloc(0))],
    ['data without content', encodeData(1, 1, 0, Buffer.alloc(0))],
  ];

  test.each(cases)('%s, when messages are asked for', async (_, bytes) => {
    const { a, socketA, socketB } = await framedPair();
    socketB.write(bytes);
    await expect(a.next(never)).rejects.toThrow(ProtocolError);
    await closed(socketA);
    await expect(a.next(never)).rejects.toThrow(ProtocolError);
  });

  test.each(cases)('%s, when handlers are attached', async (_, bytes) => {
    const { a, socketA, socketB } = await framedPair();
    const { ended } = listen(a);
    socketB.write(bytes);
    expect(await ended).toBeInstanceOf(ProtocolError);
    await closed(socketA);
  });

  test('data during a handshake, or without a handler for it', async () => {
    const data = encodeData(1, 1, 0, Buffer.of(1));
    const first = await framedPair();
    first.socketB.write(data);
    await expect(first.a.next(never)).rejects.toThrow(ProtocolError);

    const second = await framedPair();
    const ended = new Promise((resolve) => second.a.attach({ onMessage: () => {}, onClose: resolve }));
    second.socketB.write(data);
    expect(await ended).toBeInstanceOf(ProtocolError);
  });

  test('a rule of the handler’s own', async () => {
    const { a, socketB } = await framedPair();
    const ended = new Promise((resolve) =>
      a.attach({
        onMessage: () => {
          throw new ProtocolError('not now');
        },
        onClose: resolve,
      }),
    );
    socketB.write(frameOf(ping(1)));
    expect(await ended).toMatchObject({ message: 'not now' });
  });
});

test('over TLS much comes as it was sent, and stays so, whenever it is paused', async () => {
  const [client, server] = await tlsPair();
  const [a, b] = [
    new FramedStream(client, peerCodec, MAX_FRAME_PEER),
    new FramedStream(server, peerCodec, MAX_FRAME_PEER),
  ];
  b.expectMuch();
  const sizes = [1, 5000, DATA_CHUNK_BYTES, 100_000, DATA_CHUNK_BYTES - 1, 17, 16 * 1024, DATA_CHUNK_BYTES];
  const sent = Array.from({ length: 48 }, (_, entry) => Buffer.alloc(sizes[entry % sizes.length] ?? 0, entry + 1));
  const got: Buffer[] = [];
  const pings: number[] = [];
  const ended = new Promise((resolve) => {
    b.attach({
      onMessage: (message) => pings.push(message.kind === 'ping' ? message.nonce : -1),
      onData: ({ entry, content }) => {
        expect(entry).toBe(got.length);
        got.push(content);
        if (entry % 3 !== 0) return;
        b.pause();
        setImmediate(() => b.resume());
      },
      onClose: resolve,
    });
  });
  for (const [entry, content] of sent.entries()) {
    a.sendData(1, entry, 0, content);
    a.send(ping(entry));
  }
  a.end();
  await ended;
  expect(pings).toEqual(sent.map((_, entry) => entry));
  expect(got.every((content, entry) => content.equals(sent[entry] ?? Buffer.alloc(0)))).toBe(true);
  expect(got).toHaveLength(sent.length);
});

test('the limit can be raised after a handshake', async () => {
  const { a, socketB } = await framedPair();
  const long: PeerMessage = { kind: 'end', reason: 'x'.repeat(LIMIT) };
  socketB.write(frameOf(ping(1)));
  await a.next(never);
  a.frameLimit = 2 * LIMIT;
  socketB.write(frameOf(long));
  expect(await a.next(never)).toEqual(long);
});

describe('waiting', () => {
  test('ends when it is aborted, and the stream stays usable', async () => {
    const { a, b } = await framedPair();
    const abort = new AbortController();
    const waiting = a.next(abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(a.next(abort.signal)).rejects.toThrow('enough');
    b.send(ping(1));
    expect(await a.next(never)).toEqual(ping(1));
  });

  test.each([
    ['ends', (socket: Duplex) => void socket.end()],
    ['is destroyed', (socket: Duplex) => void socket.destroy()],
  ])('fails with LinkClosedError when the other end %s', async (_, close) => {
    const { a, socketA, socketB } = await framedPair();
    const waiting = a.next(never);
    close(socketB);
    await expect(waiting).rejects.toThrow(LinkClosedError);
    await closed(socketA);
  });
});

describe('pausing', () => {
  test('holds everything back until it is resumed, even what had arrived in the same piece', async () => {
    const { a, socketB } = await framedPair();
    const seen: PeerMessage[] = [];
    const paused = new Promise<void>((resolve) => {
      a.attach({
        onMessage: (message) => {
          seen.push(message);
          if (seen.length === 1) {
            a.pause();
            resolve();
          }
        },
        onClose: () => {},
      });
    });
    socketB.write(Buffer.concat([frameOf(ping(1)), frameOf(ping(2))]));
    await paused;
    expect(seen).toEqual([ping(1)]);
    a.resume();
    expect(seen).toEqual([ping(1), ping(2)]);
  });
});

describe('ending', () => {
  test('within a handler reads on to the end of what the other end says, and waits for nothing else', async () => {
    const { a, b, socketB } = await framedPair();
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const closing = new Promise<{ ended: Promise<void> }>((resolve) => {
      a.attach({ onMessage: () => resolve({ ended: a.end() }), onClose: () => {} });
    });
    b.send(ping(1));
    const { ended } = await closing;
    socketB.end(frameOf(ping(2)));
    await ended;
    await closed(socketB);
  });

  test('delivers what was sent before, then closes both ends', async () => {
    const { a, b, socketA, socketB } = await framedPair();
    const { messages, ended } = listen(b);
    for (let nonce = 0; nonce < 100; nonce += 1) a.send(ping(nonce));
    const closing = listen(a).ended;
    a.end();
    expect(await closing).toMatchObject({ message: 'closed here' });
    expect(await ended).toBeInstanceOf(LinkClosedError);
    expect(messages).toHaveLength(100);
    await Promise.all([closed(socketA), closed(socketB)]);
  });

  test('delivers the last words even while the other end’s data are still coming', async () => {
    const { a, b, socketA } = await framedPair();
    const { messages, ended } = listen(b);
    const flood = Buffer.alloc(LIMIT / 2, 1);
    for (let at = 0; at < FLOOD_BYTES; at += flood.length) b.sendData(1, 1, at, flood);
    a.send(ping(99));
    a.end();
    await ended;
    expect(messages).toEqual([ping(99)]);
    await closed(socketA);
  });

  test('reads on without keeping anything, so that the other end is not reset in the middle of a word', async () => {
    const [one, other] = await socketPair();
    const onError = vi.fn();
    other.on('error', onError);
    const a = framed(one);
    other.end(Buffer.alloc(FLOOD_BYTES, 1));
    other.resume();
    a.send(ping(1));
    a.end();
    await Promise.all([closed(one), closed(other)]);
    expect(onError).not.toHaveBeenCalled();
    expect(one.bytesRead).toBe(FLOOD_BYTES);
  });

  test('waits only a moment for an end that does not read', async () => {
    const [one, other] = await socketPair();
    const a = framed(one);
    other.pause();
    for (let at = 0; at < 2000; at += 1) a.sendData(1, 1, 0, Buffer.alloc(LIMIT, 1));
    const startedAt = performance.now();
    a.end();
    await closed(one);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('sends nothing after it', async () => {
    const [one, other] = await socketPair();
    const a = framed(one);
    const received = readToEnd(other);
    a.send(ping(1));
    a.end();
    a.send(ping(2));
    a.sendData(1, 1, 0, Buffer.from('late'));
    expect(await received).toEqual(frameOf(ping(1)));
  });

  test('happens once: the handler is told once, whatever comes after', async () => {
    const { a, socketA } = await framedPair();
    let closings = 0;
    a.attach({ onMessage: () => {}, onClose: () => (closings += 1) });
    a.destroy(new LinkClosedError('first'));
    a.destroy(new LinkClosedError('second'));
    a.end();
    await closed(socketA);
    expect(closings).toBe(1);
  });

  test('by a reset is told in words', async () => {
    const { a, socketB } = await framedPair();
    const { ended } = listen(a);
    socketB.resetAndDestroy();
    expect(await ended).toMatchObject({ message: 'the other end broke off the connection' });
  });

  test('is told to handlers that are attached after it', async () => {
    const { a } = await framedPair();
    a.destroy(new LinkClosedError('gone'));
    expect(await listen(a).ended).toMatchObject({ message: 'gone' });
  });
});
