import Libsql from 'libsql';
import { UserError } from '../../../protocol/errors.js';
import { BusyJournalError, damagedJournal, explainStorageError } from './storage-errors.js';

/** What a column holds on its way in. Text may carry no NUL, which libsql would cut it at: free text goes as a Buffer. */
export type Value = string | number | Buffer | null;

type Statement = Libsql.Statement<unknown[]>;

/** How long SQLite itself waits for another process (one that reads the history, say) to let go of a lock. */
const BUSY_TIMEOUT_MS = 5_000;

interface OpenOptions {
  path: string;
  /** Named in errors. */
  directory: string;
  /** Encrypts the file; only its first 32 bytes count. Without it the file is a plain one. */
  key?: string;
  /** How long to wait for another process's lock. */
  busyTimeoutMs?: number;
}

/**
 * A SQLite database, the only door to libsql: statements are prepared once, transactions nest, and errors that the
 * person can mend come out as UserErrors.
 */
export class Database {
  readonly #connection: Libsql.Database;
  readonly #directory: string;
  readonly #statements = new Map<string, Statement>();
  #transaction: { failure: { error: unknown } | null } | null = null;

  constructor({ path, directory, key, busyTimeoutMs = BUSY_TIMEOUT_MS }: OpenOptions) {
    this.#directory = directory;
    // libsql's own types do not know its two options for encryption.
    const options = {
      timeout: busyTimeoutMs,
      ...(key === undefined ? {} : { encryptionCipher: 'aes256cbc', encryptionKey: key }),
    };
    this.#connection = this.#explained(() => new Libsql(path, options));
  }

  /** Runs statements without values or results. */
  exec(sql: string): void {
    this.#explained(() => this.#connection.exec(sql));
  }

  /** Runs one statement; how many rows it changed. */
  run(sql: string, ...values: Value[]): number {
    return this.#explained(() => this.#prepare(sql).run(values).changes);
  }

  /** The first row, if any. The caller knows its columns: `Row` is a promise, not a check. Blobs are ArrayBuffers. */
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.#explained(() => this.#prepare(sql).get(values)) as Row | undefined;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#explained(() => this.#prepare(sql).all(values)) as Row[];
  }

  /** What a column holds as JSON. A flipped bit decrypts to nonsense: the cipher does not notice, this may. */
  parse<T>(json: string): T {
    try {
      return JSON.parse(json) as T;
    } catch (error) {
      throw damagedJournal(this.#directory, { cause: error });
    }
  }

  /**
   * All of `work` or nothing, on the disk when this returns. A call inside another joins it; if an inner one fails, the
   * outer fails too, even if the error was caught in between: SQLite may have rolled back everything already, and what
   * came after would be committed alone.
   */
  transaction<T>(work: () => T): T {
    return this.#transaction ? this.#join(this.#transaction, work) : this.#begin(work);
  }

  /**
   * Moves what the write-ahead log holds into the database file and empties the log. Nothing depends on it: closing does
   * not do it here, since libsql keeps a connection until its statements are collected as garbage.
   */
  emptyLog(): void {
    try {
      this.get('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      // A full disk or a reader in another process: the log stays, and is as good.
      if (!(error instanceof UserError)) throw error;
    }
  }

  /**
   * Leaves nothing in the files of what was deleted: rewrites the database without its free pages, then empties the log.
   * Throws a UserError if there is no room for that, or if another process looks at the database just now.
   */
  purge(): void {
    this.#statements.clear();
    this.exec('VACUUM');
    const { busy } = this.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)') ?? { busy: 1 };
    if (busy !== 0) throw new BusyJournalError(this.#directory);
  }

  close(): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #begin<T>(work: () => T): T {
    const transaction: { failure: { error: unknown } | null } = { failure: null };
    this.exec('BEGIN IMMEDIATE');
    this.#transaction = transaction;
    try {
      const result = work();
      if (transaction.failure) throw transaction.failure.error;
      this.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#connection.inTransaction) this.exec('ROLLBACK');
      throw error;
    } finally {
      this.#transaction = null;
    }
  }

  #join<T>(transaction: { failure: { error: unknown } | null }, work: () => T): T {
    if (transaction.failure) throw transaction.failure.error;
    try {
      return work();
    } catch (error) {
      transaction.failure ??= { error };
      throw error;
    }
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #explained<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explainStorageError(error, this.#directory);
    }
  }
}
