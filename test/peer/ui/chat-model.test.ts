import { describe, expect, test } from 'vitest';
import type { HistoryLine } from '../../../src/peer/session/conversation.js';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { ChatModel } from '../../../src/peer/ui/chat-model.js';
import { linesOf } from '../../../src/peer/ui/wording.js';
import { rowText } from '../../support/rows.js';
import { type Script, ScriptedConversation } from '../../support/scripted-conversation.js';

const COLUMNS = 80;
const QUESTION: HistoryLine = {
  id: 'h1',
  from: 'peer',
  text: 'are you there?',
  at: '2025-03-04T12:00:00Z',
  state: 'received',
};
const HISTORY: HistoryLine[] = [
  QUESTION,
  { id: 'h2', from: 'me', text: 'yes', at: '2025-03-04T12:01:00Z', state: 'read' },
];

function open(script: Script = {}) {
  const conversation = new ScriptedConversation(script);
  const model = new ChatModel(conversation);
  const bells: boolean[] = [];
  conversation.subscribe((event) => bells.push(model.show(event, COLUMNS)));
  return { conversation, model, bells };
}

function message(id: string, text = id): SessionEvent {
  return { event: 'message', id, from: 'peer', text, at: '2025-03-04T12:02:00Z' };
}

function screen(model: ChatModel, height = 50): string {
  return model.transcript.view(COLUMNS, height, model.offset).rows.map(rowText).join('\n');
}

test('begins with the last lines, and what I wrote', () => {
  const { model } = open({ history: HISTORY });
  expect(screen(model)).toMatch(/are you there\?.*\n.*✓✓•.*yes/);
  expect(model.written).toEqual(['yes']);
});

describe('a long history', () => {
  const history = Array.from({ length: 7_000 }, (_, i) => ({ ...QUESTION, id: `h${i}`, text: `line ${i}.` }));
  const PAGE = 10;

  test('comes as it is scrolled to, and what is seen stays where it is', () => {
    const { conversation, model } = open({ history });
    expect(model.transcript.height(COLUMNS)).toBe(201);
    model.scroll(195, COLUMNS, PAGE);
    expect(model.transcript.height(COLUMNS)).toBe(1_001);
    expect(screen(model, PAGE)).toMatch(/line 6795\..*line 6804\.$/s);
    conversation.emit(message('new'));
    expect(screen(model, PAGE)).toMatch(/line 6795\..*line 6804\.$/s);
    // The day stands above the first alone, and not above the one that was.
    expect(screen(model, 2_000).match(/March/g)).toHaveLength(1);
  });

  test('comes at once as far as the screen keeps it, if one goes to its beginning', () => {
    const { model } = open({ history });
    model.scroll(Number.MAX_SAFE_INTEGER, COLUMNS, PAGE);
    expect(model.transcript.height(COLUMNS)).toBe(5_001);
    model.scroll(1, COLUMNS, PAGE);
    expect(model.transcript.height(COLUMNS)).toBe(5_001);
  });

  test('does not come back once the screen was cleared', () => {
    const { model } = open({ history });
    model.clear();
    model.scroll(PAGE, COLUMNS, PAGE);
    expect(model.transcript.height(COLUMNS)).toBe(0);
  });
});

test('a message of the peer’s rings and is read when the bottom is seen', () => {
  const { conversation, model, bells } = open();
  conversation.emit(message('p1'));
  expect(bells).toEqual([true]);
  model.acknowledge();
  expect(conversation.calls).toEqual([{ method: 'read', arguments: ['p1'] }]);
});

test('a message that comes again is not shown twice, but read', () => {
  const { conversation, model } = open({ history: HISTORY });
  conversation.emit({ ...message('h1'), replayed: true } as SessionEvent);
  expect(screen(model).match(/are you there/g)?.length).toBe(1);
  model.acknowledge();
  expect(conversation.calls).toEqual([{ method: 'read', arguments: ['h1'] }]);
});

test('what cannot be marked as read is told, and the chat goes on', () => {
  const { conversation, model } = open();
  conversation.emit(message('unknown'));
  model.acknowledge();
  expect(screen(model)).toContain('There is no message unknown');
});

describe('someone who looks elsewhere', () => {
  test('finds a line above what is new, until they write', () => {
    const { conversation, model } = open();
    model.attention.focused = false;
    conversation.emit(message('p1'));
    conversation.emit(message('p2'));
    model.acknowledge();
    expect(conversation.calls).toEqual([]);
    expect(screen(model)).toMatch(/ new ─+\n.*p1\n.*p2/);
    model.attention.focused = true;
    model.acknowledge();
    expect(conversation.calls.map((call) => call.arguments)).toEqual([['p1', 'p2']]);
    conversation.message('mine');
    expect(screen(model)).not.toContain(' new ');
  });
});

describe('someone who reads further up', () => {
  test('stays where they are, and is told what comes in below', () => {
    const { conversation, model } = open();
    for (let i = 0; i < 30; i += 1) conversation.emit(message(`p${i}`));
    model.acknowledge();
    conversation.calls.length = 0;
    model.offset = 10;
    const before = screen(model, 5);
    conversation.emit(message('new1', 'two\nlines'));
    expect(screen(model, 5)).toBe(before);
    expect(model.newBelow).toBe(1);
    model.acknowledge();
    expect(conversation.calls).toEqual([]);
    model.offset = 0;
    expect(model.newBelow).toBe(0);
    model.acknowledge();
    expect(conversation.calls.map((call) => call.arguments)).toEqual([['new1']]);
  });

  test('is brought to the bottom by their own message', () => {
    const { conversation, model } = open({ history: HISTORY });
    model.offset = 1;
    conversation.message('mine');
    expect(model.offset).toBe(0);
  });
});

test('receipts are shown as they come', () => {
  const { conversation, model } = open();
  const id = conversation.message('mine');
  expect(screen(model)).toMatch(/✓ +me {2}mine/);
  conversation.emit({ event: 'delivered', id });
  expect(screen(model)).toMatch(/✓✓ +me {2}mine/);
  conversation.emit({ event: 'read', id });
  expect(screen(model)).toMatch(/✓✓• +me {2}mine/);
});

test('an offer rings, is listed in full, and is known as a transfer', () => {
  const { conversation, model, bells } = open();
  conversation.emit({ event: 'offer', transfer: 't', files: [{ name: 'a.txt', size: 5 }] });
  expect(bells).toEqual([true]);
  expect(screen(model)).toContain('5 bytes  a.txt');
  expect(model.book.list().length).toBe(1);
});

test('an answer that is longer than a page is shown from its beginning', () => {
  const { model } = open({ history: HISTORY });
  model.answer(
    linesOf(Array.from({ length: 30 }, (_, i) => [{ text: `line ${i}`, tone: 'plain' as const }])),
    COLUMNS,
    10,
  );
  expect(screen(model, 10)).toMatch(/^─.*\n.*line 0\n/);
  model.answer(linesOf([[{ text: 'short', tone: 'plain' }]]), COLUMNS, 10);
  expect(screen(model, 10)).toMatch(/short$/);
});

test('the status is the session’s', () => {
  const { conversation, model } = open({ peer: { name: 'b\x1b[2J' } });
  expect(model.peerName).toBe('b\ufffd[2J');
  conversation.emit({ event: 'connected', peer: 'x', path: 'relay', remote: 'r', rttMs: 9, group: 'X25519' });
  expect(model.status()).toMatchObject({ state: 'connected', link: { path: 'relay', rttMs: 9 }, outbox: 0 });
  conversation.emit({ event: 'disconnected', reason: 'reset' });
  expect(model.status()).toMatchObject({ state: 'reconnecting', link: null });
});
