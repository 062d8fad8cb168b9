import { expect, test } from 'vitest';
import type { Journal, PastEntry, TransferRecord } from '../../../../src/peer/session/journal/journal.js';
import type { ManifestEntry } from '../../../../src/protocol/messages.js';
import { deliverAll, meet, openJournal, write } from './fixture.js';

const HOUR_MS = 3_600_000;

function offer(journal: Journal, paths: string[]): TransferRecord {
  const entries = paths.map(
    (path): ManifestEntry => ({ path, directory: path.endsWith('y'), size: 1, mode: 0o644, mtimeMs: 0 }),
  );
  const record: TransferRecord = {
    transfer: Buffer.from(paths[0] ?? '')
      .toString('hex')
      .padEnd(32, '0'),
    direction: 'send',
    state: 'offered',
    outcome: null,
    into: null,
    sources: paths,
    ref: null,
    bytes: paths.length,
    entries: paths.length,
    progress: '',
    announced: true,
  };
  journal.transfers.save(record);
  journal.transfers.addManifest(record.transfer, entries);
  return record;
}

const short = (entry: PastEntry) => (entry.kind === 'message' ? entry.text : `${entry.names.join('+')} ${entry.state}`);

test('messages and files come in the order in which they were journalled', () => {
  const me = openJournal();
  const peer = openJournal();
  meet(me, peer);
  const early = offer(me, ['early']);
  write(me, 'one');
  write(peer, 'two');
  deliverAll(peer, me);
  offer(me, ['holiday', 'holiday/a', 'notes']);
  write(me, 'three');
  me.transfers.save({ ...early, state: 'finished', outcome: 'declined' });
  offer(me, ['zz']);
  expect([...me.past()].map(short)).toEqual([
    'early/ declined',
    'one',
    'two',
    'holiday/+notes offered',
    'three',
    'zz offered',
  ]);
  const [file] = [...me.past('early')];
  expect(file).toMatchObject({ kind: 'transfer', from: 'me', entries: 1, at: expect.stringMatching(/^20/) });
});

test.each([
  ['the messages before a file have disappeared', (me: Journal) => me.vanish(Date.now() + 2 * HOUR_MS)],
  ['everything was erased while a file is under way', (me: Journal) => me.erase()],
])('a file stays before what is written after it when %s', (_, forget) => {
  const me = openJournal();
  const peer = openJournal();
  meet(me, peer);
  for (const text of ['one', 'two']) me.append({ kind: 'text', text, lifetimeMs: HOUR_MS }, Date.now());
  deliverAll(me, peer);
  offer(me, ['file']);
  forget(me);
  for (const text of ['three', 'four', 'five']) write(me, text);
  expect([...me.past()].map(short)).toEqual(['file offered', 'three', 'four', 'five']);
});

test('a search finds messages by their words and transfers by the names of files', () => {
  const me = openJournal();
  write(me, 'see the Holiday plan');
  offer(me, ['holiday.png']);
  write(me, 'something else');
  expect([...me.past('holi')].map(short)).toEqual(['see the Holiday plan', 'holiday.png offered']);
  expect([...me.past('" OR *')].map(short)).toEqual([]);
});

test('years of messages are read page by page, each once', () => {
  const me = openJournal();
  me.transaction(() => {
    for (let i = 0; i < 1201; i += 1) write(me, `message ${i}`);
  });
  expect([...me.past()].map(short)).toEqual(Array.from({ length: 1201 }, (_, i) => `message ${i}`));
  expect([...me.past('message')]).toHaveLength(1201);
});

test('a long list of files is remembered by its first names', () => {
  const me = openJournal();
  const record = offer(
    me,
    Array.from({ length: 50 }, (_, i) => `f${i}`),
  );
  me.transfers.save({ ...record, state: 'finished', outcome: 'transferred' });
  const [entry] = [...me.past()];
  expect(entry).toMatchObject({ entries: 50, state: 'transferred' });
  expect(entry?.kind === 'transfer' && entry.names).toHaveLength(20);
});
