import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { Changes } from '../../../src/peer/doctor/changes.js';

const never = new AbortController().signal;

it('resolves at once where all is as it should be, and else when it has become so', async () => {
  const changes = new Changes();
  expect(await changes.until(() => true, null, never)).toBe(true);
  let done = false;
  const waiting = changes.until(() => done, null, never);
  changes.tell();
  done = true;
  changes.tell();
  expect(await waiting).toBe(true);
});

it('tells when the time is over', async () => {
  expect(await new Changes().until(() => false, 1, never)).toBe(false);
});

it('rejects with what the look throws, or the signal says, and leaves no listener', async () => {
  const changes = new Changes();
  const leaving = new AbortController();
  let lost = false;
  const look = () => {
    if (lost) throw new Error('lost');
    return false;
  };
  const first = changes.until(look, null, leaving.signal);
  const second = changes.until(() => false, null, leaving.signal);
  lost = true;
  changes.tell();
  await expect(first).rejects.toThrow('lost');
  leaving.abort(new Error('the person has left'));
  await expect(second).rejects.toThrow('the person has left');
  expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
});
