import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { LinkClosedError, ProtocolError } from '../../src/protocol/errors.js';
import { PREFACE_BYTES, prefaceMatches, prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { byteByByte, socketPair } from '../support/streams.js';

const token = randomBytes(32);
const never = new AbortController().signal;

/** Waits until so much has arrived, taking nothing. */
async function arrived(stream: Duplex, count: number): Promise<void> {
  while (stream.readableLength < count) {
    stream.read(0);
    await new Promise(setImmediate);
  }
}

async function readableBytes(stream: Duplex, count: number): Promise<Buffer> {
  await arrived(stream, count);
  return stream.read(count);
}

describe('a preface', () => {
  test('is these bytes', () => {
    const magic = '74626565702f310a';
    const token = Buffer.alloc(32, 0x44);
    const client = 'f754c48f380c1c17eed904eafd24799f5f51925fb687197fa6694dafec077fed';
    const server = '1384307097b36fbd41e8af2ffd9a99ed7c638439d15d3b206bdc183f2814a8da';
    expect(prefaceOf(token, 'client').toString('hex')).toBe(magic + client);
    expect(prefaceOf(token, 'server').toString('hex')).toBe(magic + server);
  });

  test('has 40 bytes and cannot be taken for TLS', () => {
    expect(prefaceOf(token, 'client')).toHaveLength(PREFACE_BYTES);
    expect(PREFACE_BYTES).toBe(40);
    expect(prefaceOf(token, 'client')[0]).not.toBe(0x16);
  });

  test('matches its token and role alone: an echo of one’s own proves nothing', () => {
    expect(prefaceMatches(prefaceOf(token, 'client'), token, 'client')).toBe(true);
    expect(prefaceMatches(prefaceOf(token, 'client'), token, 'server')).toBe(false);
    expect(prefaceMatches(prefaceOf(token, 'server'), token, 'client')).toBe(false);
    expect(prefaceMatches(prefaceOf(randomBytes(32), 'client'), token, 'client')).toBe(false);
    expect(prefaceMatches(prefaceOf(token, 'client').subarray(0, 39), token, 'client')).toBe(false);
    expect(prefaceMatches(Buffer.alloc(0), token, 'client')).toBe(false);
  });

  test('does not show the token', () => {
    expect(prefaceOf(token, 'client').includes(token.subarray(0, 8))).toBe(false);
  });
});

describe('reading a preface', () => {
  test('takes 40 bytes and leaves those after it on the stream', async () => {
    const [sender, receiver] = await socketPair();
    sender.write(Buffer.concat([prefaceOf(token, 'client'), Buffer.from('what follows')]));
    await arrived(receiver, PREFACE_BYTES + 12);
    expect(prefaceMatches(await readPreface(receiver, never), token, 'client')).toBe(true);
    expect((await readableBytes(receiver, 12)).toString()).toBe('what follows');
  });

  test('works if every byte comes by itself', async () => {
    const [sender, receiver] = await socketPair();
    const slow = byteByByte(receiver);
    sender.write(prefaceOf(token, 'server'));
    sender.write('and more');
    expect(prefaceMatches(await readPreface(slow, never), token, 'server')).toBe(true);
    expect((await readableBytes(slow, 8)).toString()).toBe('and more');
  });

  test('leaves the stream paused, so that nothing is lost before the next reader comes', async () => {
    const [sender, receiver] = await socketPair();
    sender.write(prefaceOf(token, 'server'));
    await readPreface(receiver, never);
    expect(receiver.readableFlowing).not.toBe(true);
    sender.write('later');
    expect((await readableBytes(receiver, 5)).toString()).toBe('later');
  });

  test.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n....')],
    ['a TLS record', Buffer.concat([Buffer.from('160301', 'hex'), Buffer.alloc(40)])],
    ['a preface of another version', Buffer.concat([Buffer.from('tbeep/2\n'), Buffer.alloc(32)])],
  ])('refuses %s', async (_, bytes) => {
    const [sender, receiver] = await socketPair();
    sender.write(bytes);
    await expect(readPreface(receiver, never)).rejects.toThrow(ProtocolError);
  });

  test.each([0, 1, PREFACE_BYTES - 1])('fails if the stream ends after %i bytes', async (count) => {
    const [sender, receiver] = await socketPair();
    sender.end(prefaceOf(token, 'client').subarray(0, count));
    await expect(readPreface(receiver, never)).rejects.toThrow(LinkClosedError);
  });

  test('fails at once if the stream is closed already', async () => {
    const [, receiver] = await socketPair();
    receiver.destroy();
    await once(receiver, 'close');
    await expect(readPreface(receiver, never)).rejects.toThrow(LinkClosedError);
  });

  test('fails if the connection is reset', async () => {
    const [sender, receiver] = await socketPair();
    const reading = readPreface(receiver, never);
    sender.resetAndDestroy();
    await expect(reading).rejects.toThrow(LinkClosedError);
  });

  test('ends when it is aborted, and listens no longer', async () => {
    const [, receiver] = await socketPair();
    const before = receiver.eventNames().map((name) => receiver.listenerCount(name));
    const abort = new AbortController();
    const reading = readPreface(receiver, abort.signal);
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    await expect(readPreface(receiver, abort.signal)).rejects.toThrow('enough');
    expect(receiver.eventNames().map((name) => receiver.listenerCount(name))).toEqual(before);
  });
});
