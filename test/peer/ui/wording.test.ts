import { describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { TransferBook } from '../../../src/peer/ui/transfer-book.js';
import { eventLines, helpLines, type Lines, offerLines, transferTitle } from '../../../src/peer/ui/wording.js';
import { rowText } from '../../support/rows.js';

function texts(lines: Lines | undefined): string[] {
  return lines ? Array.from({ length: lines.count }, (_, i) => rowText(lines.line(i))) : [];
}

function offered(names: string[], direction: 'offer' | 'offered' = 'offer') {
  const book = new TransferBook();
  const files = names.map((name) => ({ name, size: name.endsWith('/') ? 0 : 1500 }));
  const entry = book.record({ event: direction, transfer: 't', files });
  if (!entry) throw new Error('an offer is a transfer');
  return { book, entry };
}

test.each([
  [['photo.png'], 'photo.png'],
  [['holiday/a.jpg', 'holiday/b.jpg'], 'holiday/ (2 files)'],
  [['holiday/a.jpg'], 'holiday/'],
  [['a.txt', 'b.txt', 'c/d.txt'], 'a.txt and 2 more'],
  [['evil\x1b[31m.txt'], 'evil\ufffd[31m.txt'],
])('%j is called %s', (names, title) => {
  expect(transferTitle(offered(names).entry)).toBe(title);
});

describe('an offer', () => {
  test('names every file with its size, and says how to answer', () => {
    const lines = texts(offerLines(offered(['holiday/a.jpg', 'holiday/empty/']).entry, 'bob'));
    expect(lines).toEqual([
      'bob offers 2 files, 1.5 kB:',
      '    1.5 kB  holiday/a.jpg',
      '    folder  holiday/empty/',
      '/accept 1 [FOLDER] to take it, /decline 1 to refuse.',
    ]);
  });

  test('of half a million files makes only the lines that are looked at', () => {
    const lines = offerLines(offered(Array.from({ length: 500_000 }, (_, i) => `f${i}`)).entry, 'bob');
    expect(lines.count).toBe(500_002);
    expect(rowText(lines.line(499_999))).toContain('f499998');
  });
});

test.each<[SessionEvent, string]>([
  [{ event: 'waiting' }, 'Waiting for bob.'],
  [{ event: 'offline', reason: 'gone\x1b[2J' }, 'gone\ufffd[2J'],
  [
    { event: 'connected', peer: 'x', path: 'relay', remote: 'r', rttMs: 11.6, group: 'X25519MLKEM768' },
    '12 ms, post-quantum',
  ],
  [{ event: 'connected', peer: 'x', path: 'relay', remote: 'r', rttMs: 1, group: 'X25519' }, 'not post-quantum'],
  [{ event: 'path', path: 'tcp-punch', remote: 'r', why: 'better' }, 'Now by tcp-punch: better'],
  [{ event: 'disconnected', reason: 'reset' }, 'The link is gone (reset)'],
  [{ event: 'error', code: 2, message: 'no such file', hint: 'Look again.' }, 'No such file'],
])('%j is told', (event, text) => {
  expect(texts(eventLines(event, 'bob')).join('\n')).toContain(text);
});

test.each<[SessionEvent, 'offer' | 'offered', string]>([
  [{ event: 'accepted', transfer: 't', into: '/in' }, 'offer', 'Receiving a.txt into /in.'],
  [{ event: 'accepted', transfer: 't', into: null }, 'offered', 'bob takes a.txt.'],
  [{ event: 'declined', transfer: 't' }, 'offer', 'You declined a.txt.'],
  [{ event: 'declined', transfer: 't', reason: 'no room' }, 'offered', 'bob declined a.txt (no room).'],
  [{ event: 'cancelled', transfer: 't', by: 'peer' }, 'offer', 'bob cancelled a.txt.'],
  [{ event: 'cancelled', transfer: 't', by: 'me' }, 'offered', 'You cancelled a.txt.'],
  [{ event: 'cancelled', transfer: 't', by: 'me', reason: 'it changed' }, 'offered', 'Ended the transfer of a.txt.'],
  [{ event: 'transferred', transfer: 't' }, 'offered', 'bob has a.txt, 1.5 kB.'],
])('%j of an %s is told', (event, direction, text) => {
  const { book } = offered(['a.txt'], direction);
  expect(texts(eventLines(event, 'bob', book.record(event)))).toEqual([text]);
});

test('a received file is told with its place', () => {
  const { book, entry } = offered(['a.txt']);
  book.record({ event: 'file', transfer: 't', name: 'a.txt', path: '/in/a (1).txt', bytes: 1, sha256: '' });
  expect(texts(eventLines({ event: 'transferred', transfer: 't' }, 'bob', entry))).toEqual(['Received /in/a (1).txt.']);
});

test('what has no words of its own is not told', () => {
  expect(eventLines({ event: 'online' }, 'bob')).toBeUndefined();
  expect(eventLines({ event: 'delivered', id: 'x' }, 'bob')).toBeUndefined();
  expect(eventLines({ event: 'transferred', transfer: 'strange' }, 'bob')).toBeUndefined();
});

test('the help has a line for each command', () => {
  expect(texts(helpLines()).find((line) => line.startsWith('/send'))).toMatch(/^\/send PATH… +offer files/);
});

test('a new key is told with its words, what to be wary of, and how to follow it', () => {
  const words = 'apple river candle north violin stone amber \x1b[31m';
  const told = texts(eventLines({ event: 'succession', peer: 'a', id: 'b', words }, 'bob'));
  expect(told[0]).toBe('bob asks to be known by a new key:');
  expect(told[1]).toBe('  apple river candle north violin stone amber \ufffd[31m');
  expect(told.slice(2).join('\n')).toMatch(/stole.*by voice[\s\S]*\/follow/);
  const followed = (whose: 'me' | 'peer') => texts(eventLines({ event: 'succeeded', whose, id: 'b' }, 'bob')).join();
  expect(followed('peer')).toContain('not verified yet');
  expect(followed('me')).toContain('bob knows you by your new key now');
});
