import { expect, test } from 'vitest';
import type { Journal } from '../../../../src/peer/session/journal/journal.js';
import { rawPages } from '../../../support/raw-pages.js';
import { closeJournal, copyAsIs, deliverAll, meet, newFolder, openJournal, privateKey, write } from './fixture.js';

const HOUR_MS = 3_600_000;

function writeMortal(journal: Journal, text: string, lifetimeMs = HOUR_MS) {
  return journal.append({ kind: 'text', text, lifetimeMs }, 1_700_000_000_000);
}

const texts = (journal: Journal) => journal.history(10).map(({ text }) => text);

test('a message goes its time after delivery, on both sides, and leaves no trace in any page', () => {
  const folders = [newFolder(), newFolder()];
  const [mine, peers] = folders.map((folder) => openJournal(folder)) as [Journal, Journal];
  meet(mine, peers);
  write(mine, 'marimba stays');
  const { id } = writeMortal(mine, 'xylophone goes');
  deliverAll(mine, peers);
  peers.markShown(id);
  const now = Date.now();
  for (const [at, journal] of [mine, peers].entries()) {
    expect(journal.nextVanishing()).toBeGreaterThan(now + HOUR_MS - 60_000);
    expect(journal.vanish(now)).toEqual([]);
    expect(rawPages(copyAsIs(folders[at] ?? ''), privateKey).includes('xylophone')).toBe(true);
    expect(journal.vanish(now + HOUR_MS + 60_000)).toEqual([id]);
    expect(texts(journal)).toEqual(['marimba stays']);
    expect(journal.search('xylophone', 5)).toEqual([]);
    expect(journal.search('marimba', 5)).toHaveLength(1);
    const pages = rawPages(copyAsIs(folders[at] ?? ''), privateKey);
    expect([pages.includes('marimba'), pages.includes('xylophone')]).toEqual([true, false]);
    expect(journal.nextVanishing()).toBeNull();
  }
});

test('the clock does not run before delivery, nor against what nobody has seen', () => {
  const [mine, peers] = [openJournal(), openJournal()];
  meet(mine, peers);
  const { id, item } = writeMortal(mine, 'on its way');
  const later = Date.now() + 100 * HOUR_MS;
  expect(mine.vanish(later)).toEqual([]);
  peers.receive(item);
  expect(peers.vanish(later)).toEqual([]);
  peers.markShown(id);
  expect(peers.vanish(later)).toEqual([id]);
});

test('a message that is gone is not taken a second time', () => {
  const [mine, peers] = [openJournal(), openJournal()];
  meet(mine, peers);
  const { id, item } = writeMortal(mine, 'once');
  peers.receive(item);
  peers.markShown(id);
  peers.vanish(Date.now() + 2 * HOUR_MS);
  expect(peers.receive(item)).toBe(false);
  expect(peers.peerAck().sequence).toBe(1);
  deliverAll(mine, peers);
  expect([texts(peers), mine.outboxSize()]).toEqual([[], 0]);
});

test('what was to go while the journal was closed is not there when it opens', () => {
  const folder = newFolder();
  const [mine, peers] = [openJournal(folder), openJournal()];
  meet(mine, peers);
  writeMortal(mine, 'brief', 1);
  write(mine, 'lasting');
  deliverAll(mine, peers);
  closeJournal(mine);
  const deliveredAt = Date.now();
  while (Date.now() <= deliveredAt + 1);
  expect(texts(openJournal(folder))).toEqual(['lasting']);
});
