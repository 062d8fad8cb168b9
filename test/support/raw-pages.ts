import type { KeyObject } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { loadDataKey } from '../../src/peer/session/journal/data-key.js';

/**
 * Every page of a journal's database as a thief of the disk and of the key would see it, used or free, with what the
 * write-ahead log adds.
 */
export function rawPages(directory: string, privateKey: KeyObject): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-pages-'));
  try {
    const path = join(folder, 'journal.db');
    for (const end of ['', '-wal']) {
      const from = join(directory, `journal.db${end}`);
      if (existsSync(from)) copyFileSync(from, `${path}${end}`);
    }
    const key = loadDataKey(join(directory, 'journal.key'), directory, privateKey, false);
    // libsql's own types do not know its two options for encryption.
    const database = new Libsql(path, { encryptionCipher: 'aes256cbc', encryptionKey: key } as object);
    database.prepare('PRAGMA journal_mode = DELETE').get();
    // Decrypts in place, page by page, free ones too.
    database.prepare(`PRAGMA rekey = ''`).all();
    database.close();
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
