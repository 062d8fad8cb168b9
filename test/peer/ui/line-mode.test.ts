import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import type { Face } from '../../../src/peer/ui/face.js';
import { openLineMode } from '../../../src/peer/ui/line-mode.js';
import { type Script, ScriptedConversation } from '../../support/scripted-conversation.js';
import { faceStreams } from '../../support/streams-of-face.js';

let face: Face | undefined;

afterEach(() => {
  face?.stop();
  vi.useRealTimers();
});

function open({ terminal = false, colour = false, ...script }: Script & { terminal?: boolean; colour?: boolean } = {}) {
  const conversation = new ScriptedConversation(script);
  const { input, output, written } = faceStreams({ terminal });
  face = openLineMode({ conversation, input, output, colour, home: '/home/ann', cwd: '/work' });
  /** What was printed, without the times in front. */
  const printed = async () => {
    await setImmediate();
    return written().replace(/^\d\d:\d\d /gm, '');
  };
  const enter = async (line: string) => {
    input.write(`${line}\n`);
    await setImmediate();
    await setImmediate();
  };
  return { conversation, input, output, printed, written, enter, done: face.done };
}

function message(text: string, id = 'p1'): SessionEvent {
  return { event: 'message', id, from: 'peer', text, at: new Date(2025, 2, 4, 9, 5).toISOString() };
}

test('a message has its time and its writer in front', async () => {
  const { conversation, written } = open();
  conversation.emit(message('hello 你好'));
  await setImmediate();
  expect(written()).toBe('09:05 bob: hello 你好\n');
});

test('a message cannot pass for a line of ours, or command the terminal', async () => {
  const { conversation, written } = open();
  conversation.emit(message('x\r\n09:06 me: forged\x1b[2J'));
  await setImmediate();
  expect(written()).toBe('09:05 bob: x\n      09:06 me: forged\ufffd[2J\n');
});

test('what happens is told, once', async () => {
  const { conversation, printed } = open();
  conversation.emit({ event: 'waiting' });
  conversation.emit({ event: 'waiting' });
  conversation.emit({ event: 'offer', transfer: 't', files: [{ name: 'a.txt', size: 5 }] });
  conversation.emit({ event: 'error', code: 7, message: 'the disk is full', hint: 'Make room.' });
  expect(await printed()).toBe(
    [
      'Waiting for bob. Nothing that is sent meanwhile is lost.',
      'bob offers 1 file, 5 bytes:',
      '         5 bytes  a.txt',
      '      /accept 1 [FOLDER] to take it, /decline 1 to refuse.',
      'The disk is full',
      '      Make room.',
      '',
    ].join('\n'),
  );
});

test('lines are messages, and slash commands are obeyed', async () => {
  const { conversation, enter } = open();
  conversation.emit({ event: 'offer', transfer: 't', files: [{ name: 'a.txt', size: 5 }] });
  await enter('hello');
  await enter('//not a command');
  await enter('/accept 1 ~/in');
  await enter('');
  expect(conversation.calls).toEqual([
    { method: 'message', arguments: ['hello'] },
    { method: 'message', arguments: ['/not a command'] },
    { method: 'accept', arguments: ['t', '/home/ann/in'] },
  ]);
});

test('mistakes are told, and the next line is read', async () => {
  const { conversation, input, enter, printed } = open();
  await enter('/halp');
  input.write(Buffer.from([0xff, 0x0a]));
  await enter('x'.repeat(1024 * 1024 + 1));
  await enter('/clear');
  await enter('hello');
  const text = await printed();
  for (const part of ['Did you mean /help?', 'not UTF-8', 'too long', 'no screen to clear', 'me: hello']) {
    expect(text).toContain(part);
  }
  expect(conversation.calls.length).toBe(1);
});

describe('messages are marked read', () => {
  test('when they were printed on a terminal', async () => {
    const { conversation } = open({ terminal: true });
    conversation.emit(message('x'));
    expect(conversation.calls).toEqual([{ method: 'read', arguments: ['p1'] }]);
  });

  test('not when they went elsewhere', async () => {
    const { conversation } = open();
    conversation.emit(message('x'));
    expect(conversation.calls).toEqual([]);
  });
});

test('what cannot be marked as read is told, and nothing breaks', async () => {
  const { conversation, printed } = open({ terminal: true });
  conversation.emit(message('x', 'unknown'));
  expect(await printed()).toContain('There is no message unknown');
});

test('receipts are told for the latest message only', async () => {
  const { conversation, printed } = open({ terminal: true, history: [] });
  for (const id of [conversation.message('one'), conversation.message('two')])
    conversation.emit({ event: 'delivered', id });
  conversation.emit({ event: 'read', id: 'me-2' });
  expect((await printed()).replace(/^──.*\n/, '')).toBe('✓✓ delivered\n✓✓• read\n');
});

test('progress is calm: nothing for what is over in a moment, then a line every five seconds', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const { conversation, printed } = open();
  conversation.emit({ event: 'offered', transfer: 't', files: [{ name: 'a.txt', size: 1000 }] });
  for (let bytes = 0; bytes <= 1000; bytes += 10) {
    conversation.emit({
      event: 'progress',
      transfer: 't',
      name: 'a.txt',
      bytes,
      total: 1000,
      bytesPerSecond: 100,
      etaSeconds: (1000 - bytes) / 100,
    });
    vi.advanceTimersByTime(110);
  }
  const lines = (await printed()).split('\n').filter((line) => line.includes('%'));
  expect(lines.length).toBe(2);
  expect(lines[0]).toBe('a.txt: 46%, 0.5 of 1.0 kB, 100 bytes/s, 0:05 left');
});

test('on a terminal the last lines of before are there, with their days', async () => {
  const history = [
    { id: '1', from: 'me' as const, text: 'a', at: new Date(2025, 2, 3, 8, 0).toISOString(), state: 'read' as const },
    {
      id: '2',
      from: 'peer' as const,
      text: 'b',
      at: new Date(2025, 2, 4, 8, 0).toISOString(),
      state: 'received' as const,
    },
  ];
  const { written } = open({ terminal: true, history });
  await setImmediate();
  expect(written()).toBe('── Monday 3 March 2025 ──\n08:00 me: a\n── Tuesday 4 March 2025 ──\n08:00 bob: b\n');
  const elsewhere = open({ history });
  await setImmediate();
  expect(elsewhere.written()).toBe('');
});

test('colours come only when they are wanted', async () => {
  const plain = open();
  plain.conversation.emit(message('x'));
  const coloured = open({ colour: true });
  coloured.conversation.emit(message('x'));
  await setImmediate();
  expect(plain.written()).not.toContain('\x1b');
  expect(coloured.written()).toContain('\x1b[');
});

describe('it ends', () => {
  test('at /quit', async () => {
    const { enter, done } = open();
    await enter('/quit');
    await done;
  });

  test('after the end of its input, when all is delivered', async () => {
    const { conversation, input, done } = open();
    input.end('last words');
    await once(input, 'end');
    conversation.emit({ event: 'connected', peer: 'x', path: 'relay', remote: 'r', rttMs: 1, group: 'g' });
    conversation.emit({ event: 'delivered', id: 'me-1' });
    await done;
    expect(conversation.calls).toEqual([{ method: 'message', arguments: ['last words'] }]);
  });

  test('when nobody reads its output', async () => {
    const { output, done } = open();
    output.destroy(new Error('EPIPE'));
    await done;
  });

  test('and leaves no listener', () => {
    const { conversation, input } = open();
    face?.stop();
    face?.stop();
    expect(conversation.listeners).toBe(0);
    expect(input.listenerCount('data')).toBe(0);
  });
});
