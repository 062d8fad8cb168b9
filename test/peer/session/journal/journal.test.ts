import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDataKey } from '../../../../src/peer/session/journal/data-key.js';
import { Database } from '../../../../src/peer/session/journal/database.js';
import { Journal } from '../../../../src/peer/session/journal/journal.js';
import { ExitCode, UserError } from '../../../../src/protocol/errors.js';
import { newRsaKey } from '../../../support/keys.js';
import { closeJournal, copyAsIs, deliverAll, meet, newFolder, openJournal, privateKey, write } from './fixture.js';

function userErrorOf(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function closedJournal(...texts: string[]): string {
  const folder = newFolder();
  const journal = openJournal(folder);
  for (const words of texts) write(journal, words);
  closeJournal(journal);
  return folder;
}

describe('on the disk', () => {
  it('no file holds a word of what was said, its index and its log included', () => {
    const MARKER = 'Zaubermarke';
    const folder = newFolder();
    const [journal, peer] = [openJournal(folder), openJournal()];
    meet(journal, peer);
    write(journal, `mine ${MARKER} 你好`, MARKER);
    write(peer, `theirs ${MARKER}`);
    deliverAll(peer, journal);
    journal.transfers.addManifest('ab'.repeat(16), [
      { path: MARKER, directory: false, size: 1, mode: 0o600, mtimeMs: 0 },
    ]);
    expect(journal.search(MARKER, 9)).toHaveLength(2);
    const expectNothingToRead = () => {
      for (const name of readdirSync(folder)) {
        const content = readFileSync(join(folder, name));
        for (const words of [MARKER, MARKER.toLowerCase(), '你好', 'CREATE TABLE', 'SQLite format', journal.id]) {
          expect(content.includes(words), `${words} in ${name}`).toBe(false);
        }
      }
    };
    expect(statSync(join(folder, 'journal.db-wal')).size).toBeGreaterThan(0);
    expectNothingToRead();
    closeJournal(journal);
    expect(statSync(join(folder, 'journal.db')).size).toBeGreaterThan(4096);
    const names = readdirSync(folder);
    expect(names).toContain('journal.db');
    for (const name of names) {
      const content = readFileSync(join(folder, name));
      expect(content.includes(MARKER) || content.includes(MARKER.toLowerCase())).toBe(false);
    }
  });

  it('every file is the owner’s alone, whatever the umask, and is made so again', () => {
    const folder = newFolder();
    const modes = () =>
      readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]);
    const before = process.umask(0);
    try {
      const journal = openJournal(folder);
      write(journal, 'a text');
      const expected = ['journal.db', 'journal.db-shm', 'journal.db-wal', 'journal.key', 'session.lock'];
      expect(modes()).toEqual(expected.map((name) => [name, '600']));
      const copy = copyAsIs(folder);
      for (const name of readdirSync(copy)) chmodSync(join(copy, name), 0o644);
      write(openJournal(copy), 'another');
      for (const name of readdirSync(copy)) expect(statSync(join(copy, name)).mode & 0o777, name).toBe(0o600);
    } finally {
      process.umask(before);
    }
  });

  it('all is there when a call has returned', () => {
    const folder = newFolder();
    const journal = openJournal(folder);
    const { item } = write(journal, 'a text', 'r');
    expect(openJournal(copyAsIs(folder)).outgoing(0, 9)).toEqual([item]);
    journal.transaction(() => {
      write(journal, 'in a transaction');
      expect(openJournal(copyAsIs(folder)).outgoing(0, 9)).toEqual([item]);
    });
    expect(openJournal(copyAsIs(folder)).lastSequence()).toBe(2);
  });
});

describe('opening', () => {
  it('goes on from every stage at which making a journal can be killed', () => {
    const whole = closedJournal('a text');
    const stages: Record<string, (folder: string) => void> = {
      'nothing but the lock': (folder) => writeFileSync(join(folder, 'session.lock'), ''),
      'half a key beside its place': (folder) => writeFileSync(join(folder, 'journal.key.new'), 'turbo'),
      'a key and no database': (folder) => copyFileSync(join(whole, 'journal.key'), join(folder, 'journal.key')),
      'a key and an empty database': (folder) => {
        copyFileSync(join(whole, 'journal.key'), join(folder, 'journal.key'));
        writeFileSync(join(folder, 'journal.db'), '');
      },
      'an empty database and no key': (folder) => writeFileSync(join(folder, 'journal.db'), ''),
      'a database without tables': (folder) => {
        const key = loadDataKey(join(folder, 'journal.key'), folder, privateKey, true);
        const database = new Database({ path: join(folder, 'journal.db'), directory: folder, key });
        database.get('PRAGMA journal_mode = WAL');
        database.close();
      },
    };
    for (const [stage, prepare] of Object.entries(stages)) {
      const folder = newFolder();
      prepare(folder);
      const journal = openJournal(folder);
      write(journal, stage);
      closeJournal(journal);
      expect(
        openJournal(folder)
          .history(9)
          .map(({ text }) => text),
      ).toEqual([stage]);
      expect(existsSync(join(folder, 'journal.key.new'))).toBe(false);
    }
  });

  it('with another key is refused and changes nothing', () => {
    const folder = closedJournal('a text');
    const error = userErrorOf(() => Journal.open({ directory: folder, privateKey: newRsaKey() }));
    expect(error.exitCode).toBe(ExitCode.usage);
    expect(error.message).toContain(folder);
    expect(error.message).toContain('cannot be read with this key');
    expect(openJournal(folder).history(1)[0]?.text).toBe('a text');
  });

  it.each([
    ['the database’s first page', 'journal.db', 0],
    ['the key file', 'journal.key', 0],
  ])('says so where %s is damaged', (_, name, at) => {
    const folder = closedJournal('a text');
    const path = join(folder, name);
    const content = readFileSync(path);
    content.fill(0x55, at, at + 64);
    writeFileSync(path, content);
    expect(userErrorOf(() => openJournal(folder)).message).toBe(`the journal in ${folder} is damaged`);
  });

  it('says so where the key file is gone', () => {
    const folder = closedJournal('a text');
    rmSync(join(folder, 'journal.key'));
    expect(userErrorOf(() => openJournal(folder)).message).toContain('has lost its key file');
    expect(existsSync(join(folder, 'journal.key'))).toBe(false);
  });

  it('refuses what a newer program wrote', () => {
    const folder = closedJournal('a text');
    const key = loadDataKey(join(folder, 'journal.key'), folder, privateKey, false);
    const database = new Database({ path: join(folder, 'journal.db'), directory: folder, key });
    database.exec('PRAGMA user_version = 1000');
    database.close();
    const error = userErrorOf(() => openJournal(folder));
    expect(error.message).toContain('written by a newer turbo-beep');
    expect(error.hint).toContain('Update turbo-beep');
  });

  it('refuses a folder that is not there, or is a file', () => {
    const folder = newFolder();
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const directory of [join(folder, 'absent'), file]) {
      const error = userErrorOf(() => openJournal(directory));
      expect(error.exitCode).toBe(ExitCode.usage);
      expect(error.message).toContain('cannot be opened or written to');
    }
  });

  it('after a refusal lets the next one in', () => {
    const folder = closedJournal('a text');
    userErrorOf(() => Journal.open({ directory: folder, privateKey: newRsaKey() }));
    expect(openJournal(folder).lastSequence()).toBe(1);
  });
});

describe('closing', () => {
  it('leaves all in the database file, and nothing in its log', () => {
    const folder = closedJournal('a text');
    expect(statSync(join(folder, 'journal.db-wal'), { throwIfNoEntry: false })?.size ?? 0).toBe(0);
    const alone = newFolder();
    for (const name of ['journal.db', 'journal.key']) copyFileSync(join(folder, name), join(alone, name));
    expect(openJournal(alone).history(1)[0]?.text).toBe('a text');
  });
});
