import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import type { Face } from '../../../src/peer/ui/face.js';
import { openJsonMode } from '../../../src/peer/ui/json-mode.js';
import { type Script, ScriptedConversation } from '../../support/scripted-conversation.js';
import { faceStreams } from '../../support/streams-of-face.js';

const CONNECTED: SessionEvent = { event: 'connected', peer: 'x', path: 'relay', remote: 'r', rttMs: 1, group: 'g' };

let face: Face | undefined;

afterEach(() => {
  face?.stop();
  vi.useRealTimers();
});

function open(script: Script = {}) {
  const conversation = new ScriptedConversation(script);
  const streams = faceStreams();
  face = openJsonMode({ conversation, ...streams, endsWithInput: true });
  const events = () =>
    streams
      .written()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as SessionEvent);
  /** Writes lines and waits until they were taken. */
  const enter = async (...lines: unknown[]) => {
    for (const line of lines) streams.input.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
    await setImmediate();
    await setImmediate();
  };
  return { conversation, ...streams, events, enter, done: face.done };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const waiting = Symbol('waiting');
  await setImmediate();
  return (await Promise.race([promise, Promise.resolve(waiting)])) === waiting;
}

test('events are printed as they are, one a line, and nothing else', async () => {
  const { conversation, events, written } = open();
  const message: SessionEvent = { event: 'message', id: '1', from: 'peer', text: 'two\nlines \x1b[31m 你', at: 'now' };
  conversation.emit({ event: 'online' });
  conversation.emit(message);
  await setImmediate();
  expect(events()).toEqual([{ event: 'online' }, message]);
  expect(written().split('\n').length).toBe(3);
});

test('no control character of the peer’s is on stdout, and the text is the same', async () => {
  const { conversation, events, written } = open();
  const text = '\x00\x1b\x7f\x80\x9b5A\x9f\u2028';
  conversation.emit({ event: 'message', id: '1', from: 'peer', text, at: 'now' });
  await setImmediate();
  expect(written()).toMatch(/^[ -~]*\n$/);
  expect(events()).toMatchObject([{ text }]);
});

test('the sentence of an error goes to stderr too, on one line', async () => {
  const { conversation, events, errors } = open();
  conversation.emit({ event: 'error', code: 7, message: 'the disk is full\n\x1b[2J', hint: 'Make room.' });
  await setImmediate();
  expect(errors()).toBe('the disk is full\ufffd\ufffd[2J. Make room.\n');
  expect(events().length).toBe(1);
});

test('each command does what it says', async () => {
  const { conversation, enter, events } = open();
  conversation.emit({ event: 'offer', transfer: 't1', files: [{ name: 'a', size: 1 }] });
  conversation.emit({ event: 'offer', transfer: 't2', files: [{ name: 'b', size: 1 }] });
  await enter(
    { command: 'message', text: 'hi', ref: 'r' },
    { command: 'accept', transfer: 't1', into: '/in' },
    { command: 'decline', transfer: 't2' },
    { command: 'cancel', transfer: 't1' },
    { command: 'read', id: 'p1' },
    { command: 'status' },
  );
  expect(conversation.calls).toEqual([
    { method: 'message', arguments: ['hi', 'r'] },
    { method: 'accept', arguments: ['t1', '/in'] },
    { method: 'decline', arguments: ['t2'] },
    { method: 'cancel', arguments: ['t1'] },
    { method: 'read', arguments: ['p1'] },
  ]);
  expect(events().at(-1)).toMatchObject({ event: 'status', state: 'connecting', outbox: 1 });
});

describe('a bad line', () => {
  test.each([
    ['not JSON', 'hello'],
    ['an unknown command', '{"command":"dance"}'],
    ['too long', `{"command":"message","text":"${'x'.repeat(1024 * 1024)}"}`],
    ['something unknown', '{"command":"decline","transfer":"strange"}'],
  ])('(%s) is error 2 with a hint, and the next one is obeyed', async (_name, line) => {
    const { enter, events } = open();
    await enter(line, { command: 'status' });
    expect(events()).toEqual([
      {
        event: 'error',
        code: 2,
        message: expect.any(String),
        hint: expect.any(String),
        ...(line.includes('strange') && { transfer: 'strange' }),
      },
      expect.objectContaining({ event: 'status' }),
    ]);
  });

  test('that is no UTF-8 is error 2', async () => {
    const { input, events } = open();
    input.write(Buffer.from([0x7b, 0xff, 0x7d, 0x0a]));
    await setImmediate();
    expect(events()).toMatchObject([{ event: 'error', code: 2, message: 'the line is not UTF-8' }]);
  });

  test('an empty one is nothing', async () => {
    const { enter, events } = open();
    await enter('', '  ', '\r');
    expect(events()).toEqual([]);
  });
});

test('what the session refuses later keeps its code and names its transfer', async () => {
  const { conversation, enter, events } = open();
  conversation.emit({ event: 'offer', transfer: 't1', files: [{ name: 'a', size: 1 }] });
  await enter({ command: 'accept', transfer: 't1', into: '/full' });
  expect(events().at(-1)).toMatchObject({ event: 'error', code: 7, transfer: 't1' });
});

test('a command with a ref that cannot be done is told with the ref', async () => {
  const { enter, events } = open();
  await enter({ command: 'send', paths: ['/missing'], ref: 's1' });
  expect(events()).toMatchObject([{ event: 'error', code: 2, ref: 's1' }]);
});

test('messages are read by command alone', async () => {
  const { conversation } = open();
  conversation.emit({ event: 'message', id: '1', from: 'peer', text: 'x', at: 'now' });
  await setImmediate();
  expect(conversation.calls).toEqual([]);
});

test('quit ends it; what follows is not obeyed; bye is still printed', async () => {
  const { conversation, enter, events, done } = open();
  await enter({ command: 'quit' }, { command: 'message', text: 'late' });
  await done;
  await conversation.quit();
  await setImmediate();
  expect(conversation.calls).toEqual([{ method: 'quit', arguments: [] }]);
  expect(events()).toEqual([{ event: 'bye' }]);
});

test('when nobody reads the output any more it ends', async () => {
  const { output, done } = open();
  output.destroy(new Error('EPIPE'));
  await done;
});

describe('after the end of the input', () => {
  test('it waits for the first connection and for everything queued', async () => {
    const { conversation, input, done } = open();
    input.end('{"command":"message","text":"last, without a newline"}');
    await once(input, 'end');
    expect(conversation.calls.length).toBe(1);
    expect(await isPending(done)).toBe(true);
    conversation.emit(CONNECTED);
    expect(await isPending(done)).toBe(true);
    conversation.emit({ event: 'delivered', id: 'me-1' });
    await done;
  });

  test('a connection that was there before counts', async () => {
    const { conversation, input, done } = open();
    conversation.emit(CONNECTED);
    conversation.emit({ event: 'disconnected', reason: 'r' });
    input.end();
    await done;
  });

  test('offers of ours are waited for until they are answered and done', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { conversation, input, done } = open({ state: 'connected' });
    conversation.emit({ event: 'offered', transfer: 't', files: [{ name: 'a', size: 1 }] });
    input.end();
    await once(input, 'end');
    vi.advanceTimersByTime(1000);
    conversation.emit({ event: 'accepted', transfer: 't', into: null });
    vi.advanceTimersByTime(1000);
    expect(await isPending(done)).toBe(true);
    conversation.emit({ event: 'transferred', transfer: 't' });
    vi.advanceTimersByTime(1000);
    await done;
  });

  test('offers of the peer’s that nobody can answer hold nothing up', async () => {
    const { conversation, input, done } = open({ state: 'connected' });
    conversation.emit({ event: 'offer', transfer: 't', files: [{ name: 'a', size: 1 }] });
    input.end();
    await done;
  });
});

test('stopped, it leaves no listener', () => {
  const { conversation, input } = open();
  face?.stop();
  face?.stop();
  expect(conversation.listeners).toBe(0);
  expect(input.listenerCount('data')).toBe(0);
});
