import type { Socket } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MAX_FRAME_PEER, MAX_FRAME_UNPROVEN } from '../../src/protocol/constants.js';
import { LinkClosedError, ProtocolError } from '../../src/protocol/errors.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import { encodeFrame, FrameType } from '../../src/protocol/frames.js';
import { Link, type LinkFacts } from '../../src/protocol/link.js';
import type { Keepalive } from '../../src/protocol/liveness.js';
import type { PeerMessage } from '../../src/protocol/messages.js';
import { peerCodec } from '../../src/protocol/wire.js';
import { closed, socketPair } from '../support/streams.js';

const never = new AbortController().signal;
const id16 = 'ab'.repeat(16);
const ack = (sequence: number): PeerMessage => ({ kind: 'ack', journalId: id16, sequence });
const facts: LinkFacts = {
  role: 'client',
  path: 'tcp-direct',
  remote: '127.0.0.1:1',
  sameNetwork: true,
  group: 'X25519',
  hello: { kind: 'hello', version: 1, features: [], runId: id16, journalId: id16, group: '', path: '' },
  signallingOnly: false,
};

interface LinkedTo {
  link: Link;
  socket: Socket;
  /** The other end, by hand. */
  peer: FramedStream<PeerMessage>;
  peerSocket: Socket;
}

async function linkToPeer(keepalive?: Keepalive): Promise<LinkedTo> {
  const [socket, peerSocket] = await socketPair();
  const link = new Link(new FramedStream(socket, peerCodec, MAX_FRAME_UNPROVEN), facts, 5, keepalive);
  onTestFinished(() => link.destroy(new LinkClosedError('the test is over')));
  return { link, socket, peer: new FramedStream(peerSocket, peerCodec, MAX_FRAME_PEER), peerSocket };
}

/** What an attached link hands over, until it closes. */
function listen(link: Link) {
  const messages: PeerMessage[] = [];
  const data: Buffer[] = [];
  const drained = vi.fn();
  const doubted = vi.fn();
  const ended = new Promise<Error>((resolve) => {
    link.attach({
      onMessage: (_, message) => messages.push(message),
      onData: (_, { content }) => data.push(content),
      onDrain: drained,
      onDoubt: doubted,
      onClose: (_, reason) => resolve(reason),
    });
  });
  return { messages, data, drained, doubted, ended };
}

async function nextOfKind(stream: FramedStream<PeerMessage>, kind: string): Promise<PeerMessage> {
  for (;;) {
    const message = await stream.next(never);
    if (message.kind === kind) return message;
  }
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a link', () => {
  test('hands over messages and data in order, and what it is told to send', async () => {
    const { link, peer } = await linkToPeer();
    const { messages, data, ended } = listen(link);
    link.send(ack(1));
    expect(await nextOfKind(peer, 'ack')).toEqual(ack(1));
    peer.send(ack(2));
    peer.sendData(1, 2, 3, Buffer.from('content'));
    peer.send(ack(3));
    peer.end();
    expect(await ended).toBeInstanceOf(LinkClosedError);
    expect(messages).toEqual([ack(2), ack(3)]);
    expect(Buffer.concat(data).toString()).toBe('content');
    expect(link.closed).toBe(true);
  });

  test('answers pings by itself', async () => {
    const { link, peer } = await linkToPeer();
    const { messages } = listen(link);
    peer.send({ kind: 'ping', nonce: 77 });
    expect(await nextOfKind(peer, 'pong')).toEqual({ kind: 'pong', nonce: 77 });
    expect(messages).toEqual([]);
  });

  test.each([0, 1])('%i bytes beyond the largest frame of a peer', async (more) => {
    const { link, socket, peerSocket } = await linkToPeer();
    const { messages, ended } = listen(link);
    const empty = peerCodec.encode({ kind: 'end', reason: 'x'.repeat(MAX_FRAME_PEER / 2) }).length - MAX_FRAME_PEER / 2;
    const payload = peerCodec.encode({ kind: 'end', reason: 'x'.repeat(MAX_FRAME_PEER - empty + more) });
    expect(payload).toHaveLength(MAX_FRAME_PEER + more);
    peerSocket.write(encodeFrame(FrameType.message, payload));
    if (more === 0) {
      await expect.poll(() => messages.length).toBe(1);
      return;
    }
    expect(await ended).toBeInstanceOf(ProtocolError);
    await closed(socket);
  });

  test.each([
    ['proof', { kind: 'proof', signature: Buffer.alloc(256) }],
    ['hello', facts.hello],
  ] as [string, PeerMessage][])('is ended by a second %s', async (_, message) => {
    const { link, socket, peer } = await linkToPeer();
    const { ended } = listen(link);
    peer.send(message);
    expect(await ended).toBeInstanceOf(ProtocolError);
    await closed(socket);
  });

  test('says how much is not yet taken, and when there is room again', async () => {
    const { link, peer } = await linkToPeer();
    const { drained } = listen(link);
    while (link.bufferedBytes === 0) link.sendData(1, 1, 0, Buffer.alloc(256 * 1024, 1));
    expect(drained).not.toHaveBeenCalled();
    peer.attach({ onMessage: () => {}, onData: () => {}, onClose: () => {} });
    await expect.poll(() => drained).toHaveBeenCalled();
    expect(link.bufferedBytes).toBe(0);
  });

  test('hands over nothing while it is paused, and everything afterwards', async () => {
    const { link, peer } = await linkToPeer();
    const { messages } = listen(link);
    link.pause();
    peer.send(ack(1));
    peer.send(ack(2));
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    expect(messages).toEqual([]);
    link.resume();
    await expect.poll(() => messages).toEqual([ack(1), ack(2)]);
  });
});

describe('ending a link', () => {
  test('tells the other side why, after all that was sent, and closes', async () => {
    const { link, peer, socket, peerSocket } = await linkToPeer();
    const { ended } = listen(link);
    link.send(ack(1));
    link.end('quit');
    expect(await ended).toMatchObject({ message: 'closed here' });
    expect(await nextOfKind(peer, 'ack')).toEqual(ack(1));
    expect(await peer.next(never)).toEqual({ kind: 'end', reason: 'quit' });
    await expect(peer.next(never)).rejects.toThrow(LinkClosedError);
    await Promise.all([closed(socket), closed(peerSocket)]);
  });

  test.each([
    ['end', (link: Link) => link.end('duplicate')],
    ['destroy', (link: Link) => link.destroy(new LinkClosedError('gone'))],
  ])('that was never attached leaves no timer (%s)', async (_, close) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { link, socket, peerSocket } = await linkToPeer();
    expect(vi.getTimerCount()).toBe(1);
    close(link);
    expect(vi.getTimerCount()).toBe(0);
    expect(link.closed).toBe(true);
    peerSocket.resume();
    await closed(socket);
  });

  test('is told once, whatever happens next', async () => {
    const { link } = await linkToPeer();
    const onClose = vi.fn();
    link.attach({ onMessage: () => {}, onData: () => {}, onDrain: () => {}, onDoubt: () => {}, onClose });
    link.destroy(new LinkClosedError('first'));
    link.end('quit');
    link.destroy(new LinkClosedError('second'));
    expect(onClose.mock.calls).toEqual([[link, expect.objectContaining({ message: 'first' })]]);
  });

  test('before it is attached is told when it is', async () => {
    const { link } = await linkToPeer();
    link.destroy(new LinkClosedError('gone'));
    expect(await listen(link).ended).toMatchObject({ message: 'gone' });
  });
});

describe('keepalive', () => {
  const quick: Keepalive = { idleMs: 20, deadMs: 200, answerMs: 1_000 };

  test('ends a link whose other side is silent', async () => {
    const { link, socket } = await linkToPeer(quick);
    const startedAt = performance.now();
    expect(await listen(link).ended).toMatchObject({ name: 'LinkClosedError', message: /^silent for/ });
    expect(performance.now() - startedAt).toBeGreaterThan(quick.deadMs);
    await closed(socket);
  });

  test('keeps a link whose other side answers, and measures the way there and back', async () => {
    const { link, peer } = await linkToPeer({ idleMs: 20, deadMs: 2_000, answerMs: 1_000 });
    listen(link);
    for (let count = 0; count < 5; count += 1) {
      const { nonce } = (await nextOfKind(peer, 'ping')) as { nonce: number };
      peer.send({ kind: 'pong', nonce });
    }
    await expect.poll(() => link.rttMs).not.toBe(5);
    expect(link.closed).toBe(false);
    expect(link.minRttMs).toBeLessThanOrEqual(5);
  });

  test('takes messages and data for signs of life too', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { link, peer } = await linkToPeer(quick);
    const { messages, data } = listen(link);
    // As long as ten silences that would have been deadly.
    for (let spent = 0; spent < 10 * quick.deadMs; spent += quick.deadMs / 2) {
      const heard = data.length;
      peer.send(ack(1));
      peer.sendData(1, 1, 0, Buffer.of(1));
      while (data.length === heard && !link.closed) await new Promise(setImmediate);
      vi.advanceTimersByTime(quick.deadMs / 2);
    }
    expect(link.closed).toBe(false);
    expect(messages.length).toBe(data.length);
  });
});

describe('doubt', () => {
  const doubting: Keepalive = { idleMs: 60_000, deadMs: 60_000, answerMs: 30 };

  test.each<[string, (link: Link) => void]>([
    ['an item', (link) => link.send({ kind: 'item', sequence: 1, atMs: 1, body: { kind: 'text', text: 'hello' } })],
    ['data', (link) => link.sendData(1, 1, 0, Buffer.of(1))],
  ])('is told once when %s and then a ping go unanswered, and the link lives on', async (_, send) => {
    const { link, peer } = await linkToPeer(doubting);
    const { doubted } = listen(link);
    // The first ping only measures.
    const first = (await nextOfKind(peer, 'ping')) as { nonce: number };
    peer.send({ kind: 'pong', nonce: first.nonce });
    await expect.poll(() => link.rttMs).not.toBe(5);
    send(link);
    await vi.waitFor(() => expect(doubted).toHaveBeenCalledWith(link), { timeout: 5_000 });
    await new Promise((resolve) => setTimeout(resolve, 10 * doubting.answerMs));
    expect(doubted).toHaveBeenCalledTimes(1);
    expect(link.closed).toBe(false);
  });
});

describe('probing', () => {
  test('resolves when the peer answers', async () => {
    const { link, peer } = await linkToPeer();
    listen(link);
    const probing = link.probe(10_000);
    const { nonce } = (await nextOfKind(peer, 'ping')) as { nonce: number };
    peer.send({ kind: 'pong', nonce });
    await probing;
    expect(link.closed).toBe(false);
  });

  test('closes a link that does not answer', async () => {
    const { link, socket } = await linkToPeer();
    const { ended } = listen(link);
    await expect(link.probe(30)).rejects.toThrow(LinkClosedError);
    expect(await ended).toMatchObject({ message: 'no answer from the peer' });
    await closed(socket);
  });

  test('is not satisfied by an answer to an earlier ping, or to none', async () => {
    const { link, peer } = await linkToPeer({ idleMs: 20, deadMs: 60_000, answerMs: 1_000 });
    listen(link);
    const earlier = (await nextOfKind(peer, 'ping')) as { nonce: number };
    const probing = link.probe(100);
    peer.send({ kind: 'pong', nonce: earlier.nonce });
    peer.send({ kind: 'pong', nonce: 2 ** 32 - 1 });
    await expect(probing).rejects.toThrow(LinkClosedError);
  });

  test('is satisfied although another ping went out meanwhile', async () => {
    const { link, peer } = await linkToPeer({ idleMs: 20, deadMs: 60_000, answerMs: 1_000 });
    listen(link);
    const probing = link.probe(10_000);
    const first = (await nextOfKind(peer, 'ping')) as { nonce: number };
    await nextOfKind(peer, 'ping');
    peer.send({ kind: 'pong', nonce: first.nonce });
    await probing;
  });

  test('fails at once when the link closes, or has closed', async () => {
    const { link, peerSocket } = await linkToPeer();
    listen(link);
    const probing = link.probe(60_000);
    peerSocket.destroy();
    await expect(probing).rejects.toThrow(LinkClosedError);
    await expect(link.probe(60_000)).rejects.toThrow(LinkClosedError);
  });
});
