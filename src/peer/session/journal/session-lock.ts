import { join } from 'node:path';
import { Database } from './database.js';
import { ensurePrivateFile } from './private-files.js';

/**
 * One process per home and contact: a lock of the operating system, taken by SQLite on an empty database of its own and
 * held while this lives. A killed process's lock goes with it, and journal.db stays open to readers.
 */
export class SessionLock {
  readonly #database: Database;

  /** Throws a UserError if another process, or this one, holds it. */
  constructor(directory: string) {
    const path = join(directory, 'session.lock');
    ensurePrivateFile(path);
    this.#database = new Database({ path, directory, busyTimeoutMs: 0 });
    // Locking then writes nothing, so that a full disk does not matter and no file is left behind.
    this.#database.exec('PRAGMA journal_mode = MEMORY');
    this.#database.exec('BEGIN EXCLUSIVE');
  }

  release(): void {
    this.#database.exec('ROLLBACK');
    this.#database.close();
  }
}
