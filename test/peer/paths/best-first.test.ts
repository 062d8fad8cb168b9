import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BestFirst, NotNeededError, PATIENCE_MS } from '../../../src/peer/paths/best-first.js';

const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Contenders, in the order in which their handshakes began, and how to end each. */
function contest() {
  const bestFirst = new BestFirst();
  const begun: string[] = [];
  const ends = new Map<string, { succeed(): void; fail(): void }>();
  const enter = (name: string, preference: number, signal = never) =>
    bestFirst.run(
      preference,
      signal,
      () =>
        new Promise<string>((resolve, reject) => {
          begun.push(name);
          ends.set(name, { succeed: () => resolve(name), fail: () => reject(new Error(`${name} failed`)) });
        }),
    );
  return { bestFirst, begun, enter, end: (name: string) => ends.get(name) ?? expect.fail(`${name} has not begun`) };
}

const turns = () => vi.advanceTimersByTimeAsync(0);

describe('of connections that open at once', () => {
  it('one begins at once, and a better one does not wait for it', async () => {
    const { begun, enter, end } = contest();
    const entered = [enter('first', 3), enter('better', 1)];
    await turns();
    expect(begun).toEqual(['first', 'better']);
    for (const name of begun) end(name).succeed();
    expect(await Promise.all(entered)).toEqual(['first', 'better']);
  });

  it('those that are no better wait, and are not needed when the session runs over one that is as good', async () => {
    const { bestFirst, begun, enter, end } = contest();
    const first = enter('first', 1);
    const others = [enter('equal', 1), enter('worse', 2)];
    const refused = Promise.all(others.map((each) => expect(each).rejects.toThrow(NotNeededError)));
    await turns();
    end('first').succeed();
    await first;
    bestFirst.chosen(1, () => true);
    await refused;
    await expect(enter('late', 1)).rejects.toThrow(NotNeededError);
    expect(begun).toEqual(['first']);
    end('first').succeed();
  });

  it('a better one is needed all the same, and any when the chosen link has closed', async () => {
    const { bestFirst, begun, enter, end } = contest();
    let isOpen = true;
    bestFirst.chosen(1, () => isOpen);
    const better = enter('better', 0);
    await turns();
    end('better').fail();
    await expect(better).rejects.toThrow('failed');
    isOpen = false;
    const later = enter('later', 2);
    await turns();
    expect(begun).toEqual(['better', 'later']);
    end('later').succeed();
    await later;
  });

  it('the best of those who wait begins, alone, when the one ahead has failed', async () => {
    const { begun, enter, end } = contest();
    const first = enter('first', 1);
    const others = [enter('worst', 3), enter('good', 1), enter('as good', 1)];
    await turns();
    end('first').fail();
    await expect(first).rejects.toThrow('failed');
    await turns();
    expect(begun).toEqual(['first', 'good']);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    for (const name of ['worst', 'good', 'as good']) end(name).succeed();
    await Promise.all(others);
  });

  it('none waits long for one that comes to nothing, whatever that one does', async () => {
    const { begun, enter, end } = contest();
    const entered = [enter('dead', 0), enter('alive', 0), enter('worse', 5)];
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 1);
    expect(begun).toEqual(['dead']);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['dead', 'alive', 'worse']);
    for (const name of begun) end(name).succeed();
    await Promise.all(entered);
  });

  it('one that waits ends with its signal', async () => {
    const { begun, enter, end } = contest();
    const first = enter('first', 1);
    const stopping = new AbortController();
    const waiting = expect(enter('waiting', 1, stopping.signal)).rejects.toThrow('over');
    stopping.abort(new Error('over'));
    await waiting;
    await expect(enter('late', 0, stopping.signal)).rejects.toThrow('over');
    end('first').succeed();
    await first;
    expect(begun).toEqual(['first']);
  });
});
