import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TransferRecord } from '../../../../src/peer/session/journal/journal.js';
import { rawPages } from '../../../support/raw-pages.js';
import {
  closeJournal,
  copyAsIs,
  deliverAll,
  meet,
  newFolder,
  openJournal,
  pendingTexts,
  privateKey,
  write,
} from './fixture.js';

const RECORD: TransferRecord = {
  transfer: 'ab'.repeat(16),
  direction: 'receive',
  state: 'accepted',
  outcome: null,
  into: '/home/me/quagga-folder',
  sources: [],
  ref: null,
  bytes: 5,
  entries: 1,
  progress: '',
  announced: true,
};
const FILE = { path: 'quokka-photo.png', directory: false, size: 5, mode: 0o644, mtimeMs: 0 };

test('what was erased is in no page of the database any more, nor in the index of words', () => {
  const folder = newFolder();
  const me = openJournal(folder);
  const peer = openJournal();
  meet(me, peer);
  write(me, 'xylophone by me');
  write(peer, 'bassoon by the peer');
  deliverAll(me, peer);
  deliverAll(peer, me);
  me.transfers.save(RECORD);
  me.transfers.addManifest(RECORD.transfer, [FILE]);
  me.transfers.save({ ...RECORD, state: 'finished', outcome: 'transferred' });

  const words = ['xylophone', 'bassoon', 'quokka', 'quagga'];
  const before = rawPages(copyAsIs(folder), privateKey);
  expect(words.filter((word) => before.includes(word))).toEqual(words);

  expect(me.erase()).toEqual({ erased: 2, kept: 0 });
  expect(statSync(join(folder, 'journal.db-wal')).size).toBe(0);
  const after = rawPages(copyAsIs(folder), privateKey);
  expect(after.subarray(0, 15).toString()).toBe('SQLite format 3');
  expect(words.filter((word) => after.includes(word))).toEqual([]);
  expect([...me.past()]).toEqual([]);
  expect(me.search('xylophone', 10)).toEqual([]);
  expect(me.transfers.find(RECORD.transfer)?.state).toBe('finished');
});

test('erasing keeps what has still to be delivered, and takes nothing twice afterwards', () => {
  const folder = newFolder();
  let me = openJournal(folder);
  const peer = openJournal();
  meet(me, peer);
  write(peer, 'first');
  deliverAll(peer, me);
  const [again] = [write(peer, 'second').item];
  me.receive(again);
  write(me, 'never sent');

  expect(me.erase()).toEqual({ erased: 2, kept: 1 });
  closeJournal(me);
  me = openJournal(folder);
  expect(me.receive(again)).toBe(false);
  expect(me.peerAck().sequence).toBe(2);
  expect(pendingTexts(me)).toEqual(['never sent']);
  expect(me.search('never', 10).map(({ text }) => text)).toEqual(['never sent']);
  meet(me, peer);
  deliverAll(me, peer);
  expect(me.history(10).map(({ text, state }) => [text, state])).toEqual([['never sent', 'delivered']]);
  expect(me.erase()).toEqual({ erased: 1, kept: 0 });
});

test('a transfer that is not over survives being erased', () => {
  const me = openJournal();
  me.transfers.save(RECORD);
  me.transfers.addManifest(RECORD.transfer, [FILE]);
  me.erase();
  expect(me.transfers.find(RECORD.transfer)).toEqual(RECORD);
  expect(me.transfers.manifest(RECORD.transfer)).toEqual([FILE]);
});
