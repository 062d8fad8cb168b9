import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Database } from '../../../../src/peer/session/journal/database.js';
import { UserError } from '../../../../src/protocol/errors.js';
import { newFolder } from './fixture.js';

function newDatabase(): Database {
  const directory = newFolder();
  const database = new Database({ path: join(directory, 'test.db'), directory });
  database.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY)');
  return database;
}

function add(database: Database, n: number): void {
  database.run('INSERT INTO numbers VALUES (?)', n);
}

function numbers(database: Database): number[] {
  return database.all<{ n: number }>('SELECT n FROM numbers ORDER BY n').map(({ n }) => n);
}

describe('a column of JSON', () => {
  it('that is none any more is told as damage', () => {
    const database = newDatabase();
    expect(database.parse('[1]')).toEqual([1]);
    expect(() => database.parse('[1')).toThrow(UserError);
    expect(() => database.parse('[1')).toThrow(/is damaged/);
  });
});

describe('a damaged file', () => {
  // Bytes 44 to 47 of SQLite's header are its schema format.
  it('is told as damage also where SQLite has no code for it', () => {
    const directory = newFolder();
    const path = join(directory, 'test.db');
    const database = new Database({ path, directory });
    database.exec('CREATE TABLE numbers (n INTEGER PRIMARY KEY)');
    database.close();
    const content = readFileSync(path);
    content[47] = 9;
    writeFileSync(path, content);
    expect(() => new Database({ path, directory }).all('SELECT n FROM numbers')).toThrow(/is damaged/);
  });
});

describe('a transaction', () => {
  it('returns what its work returns, committed', () => {
    const database = newDatabase();
    const result = database.transaction(() => {
      add(database, 1);
      return database.transaction(() => {
        add(database, 2);
        return 'done';
      });
    });
    expect(result).toBe('done');
    expect(numbers(database)).toEqual([1, 2]);
  });

  it('that throws leaves nothing behind, and the next one works', () => {
    const database = newDatabase();
    const fail = () =>
      database.transaction(() => {
        add(database, 1);
        database.transaction(() => add(database, 2));
        throw new Error('changed my mind');
      });
    expect(fail).toThrow('changed my mind');
    expect(numbers(database)).toEqual([]);
    database.transaction(() => add(database, 3));
    expect(numbers(database)).toEqual([3]);
  });

  it('fails as a whole if an inner one failed, even where that was caught', () => {
    const database = newDatabase();
    const caught = () =>
      database.transaction(() => {
        add(database, 1);
        try {
          database.transaction(() => {
            throw new Error('inner');
          });
        } catch {}
        expect(() => database.transaction(() => add(database, 2))).toThrow('inner');
        return 'as if nothing had happened';
      });
    expect(caught).toThrow('inner');
    expect(numbers(database)).toEqual([]);
  });

  it('passes on an error that nobody can mend as it is', () => {
    const database = newDatabase();
    add(database, 1);
    expect(() => add(database, 1)).toThrow(/UNIQUE constraint/);
    expect(() => add(database, 1)).not.toThrow(UserError);
  });
});
