import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { unlessAborted, withDeadline } from '../../src/peer/deadline.js';

const never = new AbortController().signal;

/** Ends only with its signal. */
function endless(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

describe('withDeadline', () => {
  it('ends what takes longer', async () => {
    await expect(withDeadline(5, never, endless)).rejects.toThrow('no answer in time');
  });

  it('ends it even when garbage is collected meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const collecting = setInterval(collectGarbage, 5);
    try {
      await expect(withDeadline(60, never, endless)).rejects.toThrow('no answer in time');
    } finally {
      clearInterval(collecting);
    }
  });

  it('passes on what comes in time, and forgets the deadline', async () => {
    let given: AbortSignal | undefined;
    const result = await withDeadline(5, never, async (signal) => {
      given = signal;
      return 42;
    });
    expect(result).toBe(42);
    await new Promise((resolve) => setTimeout(resolve, 15));
    expect(given?.aborted).toBe(false);
  });

  it('ends with the signal that it was given, for the same reason', async () => {
    const aborting = new AbortController();
    const work = withDeadline(60_000, aborting.signal, endless);
    aborting.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
    await expect(withDeadline(60_000, aborting.signal, async (signal) => signal.throwIfAborted())).rejects.toThrow(
      'enough',
    );
  });

  it('leaves no listener on the signal that it was given', async () => {
    const { signal } = new AbortController();
    await withDeadline(60_000, signal, async () => {});
    await expect(withDeadline(1, signal, endless)).rejects.toThrow();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('unlessAborted', () => {
  it('passes on what comes, good or bad', async () => {
    expect(await unlessAborted(Promise.resolve(42), never)).toBe(42);
    await expect(unlessAborted(Promise.reject(new Error('no')), never)).rejects.toThrow('no');
  });

  it('waits no longer than the signal, also if it has aborted already, and leaves no listener', async () => {
    const aborting = new AbortController();
    const waiting = unlessAborted(new Promise(() => {}), aborting.signal);
    aborting.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(unlessAborted(new Promise(() => {}), aborting.signal)).rejects.toThrow('enough');
    expect(getEventListeners(aborting.signal, 'abort')).toEqual([]);
  });
});
