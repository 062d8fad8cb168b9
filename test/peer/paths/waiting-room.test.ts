import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MAX_SILENCE_MS, MAX_WAITING, WaitingRoom } from '../../../src/peer/paths/waiting-room.js';

let room: WaitingRoom;
beforeEach(() => {
  vi.useFakeTimers();
  room = new WaitingRoom();
});
afterEach(() => {
  vi.useRealTimers();
});

function visitor(address: string) {
  const stream = new PassThrough();
  const opened = { stream, remote: { address, port: 1 }, dialled: false };
  room.enter(opened);
  return opened;
}

describe('who has shown no preface', () => {
  it('is shown out when it has been silent for a few seconds', () => {
    const { stream } = visitor('192.0.2.1');
    vi.advanceTimersByTime(MAX_SILENCE_MS - 1);
    expect(stream.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(stream.destroyed).toBe(true);
  });

  it('is left alone once it has, however long it stays', () => {
    const peer = visitor('192.0.2.1');
    room.leave(peer);
    vi.advanceTimersByTime(MAX_SILENCE_MS * 10);
    for (let count = 0; count < MAX_WAITING * 2; count++) visitor('192.0.2.2');
    expect(peer.stream.destroyed).toBe(false);
  });

  it('makes room for the next, the longest first', () => {
    const all = Array.from({ length: MAX_WAITING + 2 }, () => visitor('192.0.2.1'));
    expect(all.map(({ stream }) => stream.destroyed)).toEqual(all.map((_, at) => at < 2));
  });

  it.each([
    ['one address', '192.0.2.1', () => '198.51.100.7'],
    ['one network of IPv6', '2001:db8::1', (count: number) => `2001:db8:0:1:${count.toString(16)}::7`],
  ])('stays when a flood comes from %s: it pushes itself out', (_, address, flooding) => {
    const peer = visitor(address);
    for (let count = 1; count <= 1_000; count++) visitor(flooding(count));
    expect(peer.stream.destroyed).toBe(false);
  });

  it('leaves no timer behind', () => {
    const one = visitor('192.0.2.1');
    const other = visitor('192.0.2.1');
    room.leave(one);
    other.stream.destroy();
    return new Promise<void>((resolve) => other.stream.on('close', resolve)).then(() => {
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
