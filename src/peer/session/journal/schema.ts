import { randomBytes } from 'node:crypto';
import { JOURNAL_ID_BYTES } from '../../../protocol/constants.js';
import { ExitCode, UserError } from '../../../protocol/errors.js';
import type { Database } from './database.js';

const FIRST_FORM = `
  -- My own journal ids; the highest number is the one in use. sequence: of its last item. told: of the last item that
  -- the peer can have seen, see own-items.ts.
  CREATE TABLE own_journals (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sequence INTEGER NOT NULL, told INTEGER NOT NULL
  ) STRICT;

  -- Items of the journal in use that the peer has not acknowledged, without gaps.
  CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT;

  -- The item that each of the caller's refs named first. body: of all but texts, which the history has.
  CREATE TABLE refs (
    ref BLOB PRIMARY KEY, journal TEXT NOT NULL, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT
  ) STRICT, WITHOUT ROWID;

  -- The peer's journal ids; the one with the highest turn is in use. held: all items up to this one are here.
  CREATE TABLE peer_journals (id TEXT PRIMARY KEY, held INTEGER NOT NULL, turn INTEGER NOT NULL) STRICT;

  -- Both sides' texts, as UTF-8. read: by the one it was written to. shown: to the person here.
  CREATE TABLE history (
    position INTEGER PRIMARY KEY, mine INTEGER NOT NULL, journal TEXT NOT NULL, sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, text BLOB NOT NULL,
    delivered INTEGER NOT NULL, read INTEGER NOT NULL, shown INTEGER NOT NULL,
    UNIQUE (mine, journal, sequence)
  ) STRICT;
  CREATE INDEX undelivered ON history (journal, sequence) WHERE delivered = 0;
  CREATE INDEX unshown ON history (position) WHERE shown = 0;
  -- The words of the history up to some position, by position; words.ts makes them, so this tokenizer only splits at spaces.
  CREATE VIRTUAL TABLE words USING fts5 (spaced, content = '', tokenize = 'ascii');

  -- What is to be known of the peer the next time, as its owners wrote it.
  CREATE TABLE memory (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE transfers (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, finished INTEGER NOT NULL, record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX unfinished ON transfers (number) WHERE finished = 0;
  CREATE TABLE manifests (
    transfer TEXT PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE manifest_parts (
    number INTEGER PRIMARY KEY, transfer TEXT NOT NULL REFERENCES manifests ON DELETE CASCADE, entries TEXT NOT NULL
  ) STRICT;
  CREATE INDEX parts_of_manifest ON manifest_parts (transfer);
`;

/** The history tells of files too: when a transfer was begun, after which message, and (once finished) of what. */
const FILES_IN_HISTORY = `
  ALTER TABLE transfers ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE transfers ADD COLUMN after_position INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE transfers ADD COLUMN names TEXT NOT NULL DEFAULT '[]';
  -- Words are taken out of the index at once, and not only from its answers.
  INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
`;

/** How long a message lives after delivery, NULL: it stays; and when it is to go, NULL: not before it is delivered. */
const DISAPPEARING_MESSAGES = `
  ALTER TABLE history ADD COLUMN lifetime_ms INTEGER;
  ALTER TABLE history ADD COLUMN vanish_at_ms INTEGER;
  CREATE INDEX vanishing ON history (vanish_at_ms) WHERE lifetime_ms IS NOT NULL;
`;

/** From here on texts may be in the history whose words are not yet in the index, which older programs would not expect. */
const INDEXED_LATER = '';

/** Each brings a database of the form before it into the next; the form of a database is how many have been run on it. */
export const FORMS: readonly string[] = [FIRST_FORM, FILES_IN_HISTORY, DISAPPEARING_MESSAGES, INDEXED_LATER];

/** Sets up the connection, and the tables if the database is new or of an older form. Throws a UserError if a newer program wrote it. */
export function prepareSchema(database: Database, directory: string): void {
  // Of a new database. Each commit writes and encrypts whole pages, of which a message changes but a few bytes.
  database.exec('PRAGMA page_size = 2048');
  database.get('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
  database.exec('PRAGMA secure_delete = ON');
  // What SQLite puts into temporary files is not encrypted.
  database.exec('PRAGMA temp_store = MEMORY');
  const version = schemaVersion(database);
  if (version > FORMS.length) {
    throw new UserError(
      ExitCode.usage,
      `the journal in ${directory} was written by a newer turbo-beep (its form is ${version}, this program knows ${FORMS.length})`,
      'Update turbo-beep, or use another --home.',
    );
  }
  if (version < FORMS.length) database.transaction(() => bringUpToDate(database, version));
}

/** A fresh random journal id becomes the one in use. */
export function beginOwnJournal(database: Database): string {
  const id = randomBytes(JOURNAL_ID_BYTES).toString('hex');
  database.run('INSERT INTO own_journals (id, sequence, told) VALUES (?, 0, 0)', id);
  return id;
}

function bringUpToDate(database: Database, version: number): void {
  for (const form of FORMS.slice(version)) database.exec(form);
  if (version === 0) beginOwnJournal(database);
  database.exec(`PRAGMA user_version = ${FORMS.length}`);
}

function schemaVersion(database: Database): number {
  return database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
}
