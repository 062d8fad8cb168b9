import { describe, expect, it } from 'vitest';
import type { TransferRecord } from '../../../../src/peer/session/journal/journal.js';
import type { ManifestEntry } from '../../../../src/protocol/messages.js';
import { processorTime } from '../../../support/own-time.js';
import { closeJournal, newFolder, openJournal } from './fixture.js';

const FIRST = '01'.repeat(16);
const SECOND = '02'.repeat(16);

function record(transfer: string, changes: Partial<TransferRecord> = {}): TransferRecord {
  return {
    transfer,
    direction: 'receive',
    state: 'incoming',
    outcome: null,
    into: null,
    sources: [],
    ref: null,
    bytes: 0,
    entries: 0,
    progress: '',
    announced: false,
    ...changes,
  };
}

function entry(path: string, size = 1): ManifestEntry {
  return { path, directory: false, size, mode: 0o644, mtimeMs: 1_700_000_000_123 };
}

describe('a transfer', () => {
  it('is kept as it was last saved, over a restart', () => {
    const folder = newFolder();
    const journal = openJournal(folder);
    expect(journal.transfers.find(FIRST)).toBeNull();
    journal.transfers.save(record(FIRST));
    const later = record(FIRST, {
      state: 'accepted',
      into: '/home/ann/Übung "1"',
      sources: ['/a b', '/c\nd'],
      ref: 'r',
      bytes: Number.MAX_SAFE_INTEGER,
      entries: 3,
      progress: '{"files":[1]}',
      announced: true,
    });
    journal.transfers.save(later);
    closeJournal(journal);
    expect(openJournal(folder).transfers.find(FIRST)).toEqual(later);
  });

  it('is listed while it is not finished, oldest first', () => {
    const journal = openJournal();
    journal.transfers.save(record(SECOND));
    journal.transfers.save(record(FIRST));
    journal.transfers.save(record(SECOND, { state: 'offered' }));
    expect(journal.transfers.unfinished().map(({ transfer }) => transfer)).toEqual([SECOND, FIRST]);
    const done = record(SECOND, { state: 'finished', outcome: 'transferred' });
    journal.transfers.save(done);
    expect(journal.transfers.unfinished().map(({ transfer }) => transfer)).toEqual([FIRST]);
    expect(journal.transfers.find(SECOND)).toEqual(done);
  });
});

describe('a manifest', () => {
  it('grows by parts, in order, and knows its size', () => {
    const journal = openJournal();
    expect(journal.transfers.manifestSize(FIRST)).toEqual({ entries: 0, bytes: 0 });
    expect(journal.transfers.manifest(FIRST)).toEqual([]);
    const entries = [
      { ...entry('ü/x', Number.MAX_SAFE_INTEGER), mtimeMs: -5 },
      { ...entry('d', 0), directory: true },
      entry('NUL\0 "quoted"\n'),
    ];
    journal.transfers.addManifest(FIRST, entries.slice(0, 2));
    journal.transfers.addManifest(SECOND, [entry('other')]);
    journal.transfers.addManifest(FIRST, []);
    journal.transfers.addManifest(FIRST, entries.slice(2));
    expect(journal.transfers.manifest(FIRST)).toEqual(entries);
    expect(journal.transfers.manifestSize(FIRST)).toEqual({ entries: 3, bytes: 4 + 1 + 14 });
  });

  it('goes when its transfer is finished, and late parts with it', () => {
    const journal = openJournal();
    journal.transfers.save(record(FIRST));
    journal.transfers.addManifest(FIRST, [entry('a')]);
    journal.transfers.addManifest(SECOND, [entry('b')]);
    journal.transfers.save(record(FIRST, { state: 'finished', outcome: 'cancelled' }));
    journal.transfers.addManifest(FIRST, [entry('late')]);
    expect(journal.transfers.manifest(FIRST)).toEqual([]);
    expect(journal.transfers.manifestSize(FIRST)).toEqual({ entries: 0, bytes: 0 });
    expect(journal.transfers.manifest(SECOND)).toEqual([entry('b')]);
  });

  it('of 100,000 entries is read back within a second', () => {
    const journal = openJournal();
    const part = (at: number) => Array.from({ length: 1000 }, (_, index) => entry(`folder ${at}/file ${index}.txt`));
    journal.transaction(() => {
      for (let at = 0; at < 100; at++) journal.transfers.addManifest(FIRST, part(at));
    });
    const spentMs = processorTime();
    expect(journal.transfers.manifest(FIRST)).toHaveLength(100_000);
    expect(spentMs()).toBeLessThan(1000);
    expect(journal.transfers.manifestSize(FIRST).entries).toBe(100_000);
  });
});
