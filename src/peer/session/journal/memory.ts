import type { Database } from './database.js';

/** Notes for later runs, by name. */
export interface Memory {
  /** '' if there is none. */
  recall(name: string): string;
  remember(name: string, value: string): void;
}

export class JournalledMemory implements Memory {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  recall(name: string): string {
    return this.#database.get<{ value: string }>('SELECT value FROM memory WHERE name = ?', name)?.value ?? '';
  }

  remember(name: string, value: string): void {
    this.#database.transaction(() => {
      this.#database.run('INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)', name, value);
    });
  }
}
