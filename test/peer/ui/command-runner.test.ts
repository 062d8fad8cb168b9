import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CommandDesk, runCommand } from '../../../src/peer/ui/command-runner.js';
import { parseCommand } from '../../../src/peer/ui/commands.js';
import { TransferBook } from '../../../src/peer/ui/transfer-book.js';
import { rowText } from '../../support/rows.js';
import { ScriptedConversation } from '../../support/scripted-conversation.js';

function open(cwd = '/nowhere') {
  const conversation = new ScriptedConversation();
  const book = new TransferBook();
  conversation.subscribe((event) => book.record(event));
  const said: string[] = [];
  const done: string[] = [];
  const desk: CommandDesk = {
    conversation,
    book,
    peerName: 'bob',
    cwd,
    say: (lines) => {
      for (let i = 0; i < lines.count; i += 1) said.push(rowText(lines.line(i)));
    },
    clear: () => done.push('clear'),
    quit: () => done.push('quit'),
  };
  const enter = (line: string) => runCommand(parseCommand(line, '/home/ann'), desk);
  const offer = (transfer: string, name: string) =>
    conversation.emit({ event: 'offer', transfer, files: [{ name, size: 1 }] });
  return { conversation, said, done, enter, offer };
}

test('text is a message', async () => {
  const { conversation, enter } = open();
  expect(await enter('hello')).toBe(true);
  expect(conversation.calls).toEqual([{ method: 'message', arguments: ['hello'] }]);
});

describe('/send', () => {
  test('offers paths seen from where the person is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'turbo-beep-send-'));
    await writeFile(join(folder, 'a b.txt'), 'x');
    const { conversation, enter } = open(folder);
    expect(await enter('/send "a b.txt"')).toBe(true);
    expect(conversation.calls).toEqual([{ method: 'send', arguments: [[join(folder, 'a b.txt')]] }]);
    await rm(folder, { recursive: true });
  });

  test('of what cannot be read says so, and the line is not done', async () => {
    const { said, enter } = open();
    expect(await enter('/send missing.txt')).toBe(false);
    expect(said).toEqual(['/nowhere/missing.txt cannot be read', 'Check the name and who may read it']);
  });
});

describe('/accept, /decline and /cancel', () => {
  test('need no number when only one transfer fits', async () => {
    const { conversation, enter, offer } = open();
    offer('t1', 'a.txt');
    await enter('/accept');
    await enter('/cancel');
    expect(conversation.calls).toEqual([
      { method: 'accept', arguments: ['t1'] },
      { method: 'cancel', arguments: ['t1'] },
    ]);
  });

  test('go by the number that the person sees', async () => {
    const { conversation, enter, offer } = open();
    offer('t1', 'a.txt');
    offer('t2', 'b.txt');
    await enter('/decline 2');
    await enter('/accept 1 in');
    expect(conversation.calls).toEqual([
      { method: 'decline', arguments: ['t2'] },
      { method: 'accept', arguments: ['t1', '/nowhere/in'] },
    ]);
  });

  test('without a number, ask which when there are several', async () => {
    const { said, enter, offer } = open();
    offer('t1', 'a.txt');
    offer('t2', 'b.txt');
    expect(await enter('/accept')).toBe(false);
    expect(said).toEqual(['There is more than one', 'Write /accept 1 (a.txt), /accept 2 (b.txt).']);
  });

  test('say when there is nothing of the kind', async () => {
    const { said, enter, offer } = open();
    await enter('/decline');
    offer('t1', 'a.txt');
    await enter('/cancel');
    await enter('/accept 7');
    expect(said).toEqual([
      'There is nothing to decline',
      'There is nothing to cancel',
      'There is no 7 to accept',
      'Write /accept 1 (a.txt).',
    ]);
  });

  test('tell what the session refuses', async () => {
    const { said, enter, offer } = open();
    offer('t1', 'a.txt');
    expect(await enter('/accept /full')).toBe(false);
    expect(said).toEqual(['There is not room enough in /full', 'Choose another folder']);
  });
});

test.each([
  ['/verify', 'Read these words'],
  ['/path', 'Not connected just now.'],
  ['/search x', 'Nothing found'],
  ['/help', '/send PATH…'],
])('%s answers', async (line, answer) => {
  const { said, enter } = open();
  expect(await enter(line)).toBe(true);
  expect(said[0]).toContain(answer);
});

test('/clear and /quit are the face’s own', async () => {
  const { done, enter } = open();
  await enter('/clear');
  await enter('/quit');
  expect(done).toEqual(['clear', 'quit']);
});

test('a mistake is told, and the line is not done', async () => {
  const { conversation, said, enter } = open();
  expect(await enter('/halp')).toBe(false);
  expect(said[0]).toContain('Did you mean /help?');
  expect(conversation.calls).toEqual([]);
});

test('/follow follows the key that is offered, and says so where there is none', async () => {
  const { conversation, said, enter } = open();
  expect(await enter('/follow')).toBe(false);
  expect(said.join()).toContain('There is no new key of bob to follow');
  conversation.offeredKey = { id: 'ab'.repeat(32), words: 'apple river' };
  expect(await enter('/follow')).toBe(true);
  expect(conversation.calls).toEqual([{ method: 'follow', arguments: ['ab'.repeat(32)] }]);
});
