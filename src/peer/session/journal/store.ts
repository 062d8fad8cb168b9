import type { KeyObject } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadDataKey } from './data-key.js';
import { Database } from './database.js';
import { ensurePrivateFile, syncDirectory, tightenFiles } from './private-files.js';
import { prepareSchema } from './schema.js';
import { SessionLock } from './session-lock.js';
import { explainStorageError } from './storage-errors.js';

const KEY_FILE = 'journal.key';

export interface StoreOptions {
  /** Of this contact alone; exists, mode 0700. */
  directory: string;
  /** What is on the disk can be read with this key only, once the journal has been opened. */
  privateKey: KeyObject;
  /** Those that came before it: what was written under one of them is opened, and from then on is under the new one. */
  formerKeys?: readonly KeyObject[];
}

/**
 * Opens a journal's files, made where they are missing, for this process alone. `use` takes over both; if it throws, the
 * lock is released. Throws a UserError if another process has them, they belong to another key, or cannot be used.
 */
export function openStore<T>(options: StoreOptions, use: (lock: SessionLock, database: Database) => T): T {
  const { directory } = options;
  return explained(directory, () => {
    const lock = new SessionLock(directory);
    try {
      return use(lock, openDatabase(options));
    } catch (error) {
      lock.release();
      throw error;
    }
  });
}

/**
 * Puts a journal under a new key without looking into it. False if there is none. Throws a UserError if it is open in
 * another process, which is no harm: it is put under the new key when it is next opened.
 */
export function changeStoreKey({ directory, privateKey, formerKeys }: StoreOptions): boolean {
  const path = join(directory, KEY_FILE);
  if (!existsSync(path)) return false;
  explained(directory, () => {
    const lock = new SessionLock(directory);
    try {
      loadDataKey(path, directory, privateKey, false, formerKeys);
    } finally {
      lock.release();
    }
  });
  return true;
}

function explained<T>(directory: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw explainStorageError(error, directory);
  }
}

/**
 * The key is on the disk before the first byte that it encrypts, so that whoever is killed in between leaves a key
 * without a database, which the next start uses, and never a database without its key.
 */
function openDatabase({ directory, privateKey, formerKeys }: StoreOptions): Database {
  const path = join(directory, 'journal.db');
  const keyPath = join(directory, KEY_FILE);
  const isNew = !existsSync(path) || statSync(path).size === 0;
  const key = loadDataKey(keyPath, directory, privateKey, isNew, formerKeys);
  ensurePrivateFile(path);
  tightenFiles([keyPath, `${path}-wal`, `${path}-shm`, `${path}-journal`]);
  const database = new Database({ path, directory, key });
  try {
    prepareSchema(database, directory);
    syncDirectory(directory);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
