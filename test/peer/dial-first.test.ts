import { expect, onTestFinished, test } from 'vitest';
import { type Dial, dialFirst } from '../../src/peer/dial-first.js';
import { socketPair } from '../support/streams.js';

const never = new AbortController().signal;

/** Like an address from which nothing comes back. */
function silentDial(): { dial: Dial; signals: AbortSignal[] } {
  const signals: AbortSignal[] = [];
  const dial: Dial = (signal) => {
    signals.push(signal);
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  return { dial, signals };
}

const failing =
  (message: string): Dial =>
  async () => {
    throw new Error(message);
  };

async function connected() {
  const [socket, other] = await socketPair();
  onTestFinished(() => {
    socket.destroy();
    other.destroy();
  });
  return socket;
}

test('an address that is silent does not hold up the next, and is waited for no longer', async () => {
  const silent = silentDial();
  const socket = await connected();
  expect(await dialFirst([silent.dial, silent.dial, async () => socket], never)).toBe(socket);
  expect(silent.signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});

test('while the first answers at once, no other is called', async () => {
  const silent = silentDial();
  const socket = await connected();
  expect(await dialFirst([async () => socket, silent.dial], never)).toBe(socket);
  expect(silent.signals).toEqual([]);
});

test('of two that answer in one turn the second is closed', async () => {
  const [one, other] = [await connected(), await connected()];
  let answer = () => {};
  const both = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const first: Dial = async () => {
    await both;
    return one;
  };
  const second: Dial = async () => {
    answer();
    await both;
    return other;
  };
  expect(await dialFirst([first, second], never)).toBe(one);
  expect([one.destroyed, other.destroyed]).toEqual([false, true]);
});

test('where all fail, the last says why', async () => {
  await expect(dialFirst([failing('no route'), failing('refused')], never)).rejects.toThrow('refused');
});

test('aborted, it calls no more', async () => {
  const silent = silentDial();
  const leaving = new AbortController();
  const dialling = dialFirst([silent.dial, silent.dial], leaving.signal);
  leaving.abort(new Error('the person has left'));
  await expect(dialling).rejects.toThrow('the person has left');
  expect(silent.signals).toHaveLength(1);
  await expect(dialFirst([silent.dial], leaving.signal)).rejects.toThrow('the person has left');
  expect(silent.signals).toHaveLength(1);
});

test('without any address it says so', async () => {
  await expect(dialFirst([], never)).rejects.toThrow('there is no address to call');
});
