import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MAX_FRAME_MEDIATOR } from '../../src/protocol/constants.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import { encodeFrame, FrameType } from '../../src/protocol/frames.js';
import { register } from '../../src/protocol/mediator-handshake.js';
import type { MediatorMessage } from '../../src/protocol/messages.js';
import { mediatorCodec } from '../../src/protocol/wire.js';
import { ControlConnection } from '../../src/server/control.js';
import { closed, readToEnd, socketPair } from '../support/streams.js';

const ping = (nonce: number): MediatorMessage => ({ kind: 'ping', nonce });

/** The mediator's side of an admitted peer's connection, and the peer's socket. */
async function connection() {
  const [near, far] = await socketPair();
  const heard: string[] = [];
  const stream = new FramedStream(far, mediatorCodec, MAX_FRAME_MEDIATOR);
  const control = new ControlConnection(
    { registration: register('a'.repeat(64), 'b'.repeat(64)), stream },
    {
      onMeet: () => heard.push('meet'),
      onWantProbes: () => heard.push('want probes'),
      onSuccession: (statement) => heard.push(`succession ${statement}`),
      onEnd: () => heard.push('end'),
    },
  );
  control.start();
  const peer = new FramedStream(near, mediatorCodec, MAX_FRAME_MEDIATOR);
  return { control, heard, near, far, peer };
}

function messagesOf(peer: FramedStream<MediatorMessage>): { messages: MediatorMessage[]; ended: Promise<void> } {
  const messages: MediatorMessage[] = [];
  const ended = new Promise<void>((resolve) => {
    peer.attach({ onMessage: (message) => messages.push(message), onClose: () => resolve() });
  });
  return { messages, ended };
}

describe('a control connection', () => {
  test('answers a ping with its number, and hears the wishes to meet and to probe', async () => {
    const { heard, peer } = await connection();
    peer.send({ kind: 'meet' });
    peer.send({ kind: 'wantProbes' });
    peer.send(ping(4_294_967_295));
    expect(await peer.next(AbortSignal.timeout(5_000))).toEqual({ kind: 'pong', nonce: 4_294_967_295 });
    expect(heard).toEqual(['meet', 'want probes']);
  });

  test('ends when the peer says goodbye, which is told once', async () => {
    const { heard, near, far, peer } = await connection();
    peer.send({ kind: 'goodbye', reason: 'quit' });
    await messagesOf(peer).ended;
    await Promise.all([closed(near), closed(far)]);
    expect(heard).toEqual(['end']);
  });

  test('tells once that it broke', async () => {
    const { heard, near, far } = await connection();
    near.resetAndDestroy();
    await closed(far);
    expect(heard).toEqual(['end']);
  });

  test('once finished says its last words and tells nothing any more', async () => {
    const { control, heard, far, peer } = await connection();
    const { messages, ended } = messagesOf(peer);
    control.send({ kind: 'replaced' });
    control.finish();
    control.start();
    peer.send({ kind: 'meet' });
    await ended;
    await closed(far);
    expect(messages).toEqual([{ kind: 'replaced' }]);
    expect(heard).toEqual([]);
  });
});

describe('a peer is dropped', () => {
  test.each<[string, Buffer]>([
    ['that registers again', framed(register('a'.repeat(64), 'b'.repeat(64)))],
    ['that plays the mediator', framed({ kind: 'replaced' })],
    ['that sends data', encodeFrame(FrameType.data, Buffer.alloc(100))],
    ['that sends a frame too long', Buffer.from([1, 0, 0, (MAX_FRAME_MEDIATOR + 1) >> 8, 1])],
  ])('%s', async (_, bytes) => {
    const { heard, near, far } = await connection();
    near.write(bytes);
    expect(await readToEnd(near)).toHaveLength(0);
    await closed(far);
    expect(heard).toEqual(['end']);
  });

  test('that sends without end, after a burst was answered', async () => {
    const { heard, peer } = await connection();
    const { messages, ended } = messagesOf(peer);
    for (let nonce = 0; nonce < 1000; nonce++) peer.send(ping(nonce));
    await ended;
    expect(messages.length).toBeLessThan(100);
    expect(heard).toEqual(['end']);
  });

  test('that does not read, before much is kept for it', async () => {
    const { control, heard, far } = await connection();
    let sent = 0;
    while (heard.length === 0 && sent < 10_000) {
      control.send({ kind: 'goodbye', reason: 'x'.repeat(16_000) });
      sent += 1;
      await new Promise(setImmediate);
    }
    expect(heard).toEqual(['end']);
    expect(far.writableLength).toBeLessThan(512 * 1024);
  });

  describe('that is silent', () => {
    afterEach(() => vi.restoreAllMocks());

    test('for three quarters of a minute, and not before, whatever it was told meanwhile', async () => {
      const { control, heard, far, peer } = await connection();
      peer.send(ping(1));
      await peer.next(AbortSignal.timeout(5_000));
      const heardAt = performance.now();
      const clock = vi.spyOn(performance, 'now').mockReturnValue(heardAt + 44_000);
      control.send({ kind: 'waiting' });
      control.dropIfSilent();
      expect(heard).toEqual([]);
      clock.mockReturnValue(heardAt + 45_001);
      control.dropIfSilent();
      expect(heard).toEqual(['end']);
      await closed(far);
    });
  });
});

test('a peer that pings as it should is never dropped for it', async () => {
  const { control, heard, peer } = await connection();
  const startedAt = performance.now();
  const clock = vi.spyOn(performance, 'now');
  onTestFinished(() => clock.mockRestore());
  for (let times = 1; times <= 100; times++) {
    clock.mockReturnValue(startedAt + times * 10_000);
    peer.send(ping(times));
    expect(await peer.next(AbortSignal.timeout(5_000))).toEqual({ kind: 'pong', nonce: times });
    control.dropIfSilent();
  }
  expect(heard).toEqual([]);
});

function framed(message: MediatorMessage): Buffer {
  return encodeFrame(FrameType.message, mediatorCodec.encode(message));
}
