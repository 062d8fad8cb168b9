import { createPrivateKey } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDataKey } from '../../../../src/peer/session/journal/data-key.js';
import { Database } from '../../../../src/peer/session/journal/database.js';
import { UserError } from '../../../../src/protocol/errors.js';
import { newRsaKey } from '../../../support/keys.js';
import { newFolder, privateKey } from './fixture.js';

function load(path: string, key = privateKey, mayCreate = true): string {
  return loadDataKey(path, 'FOLDER', key, mayCreate);
}

describe('the data key', () => {
  it('is made once, 0600, and is the same whenever it is read', () => {
    const path = join(newFolder(), 'journal.key');
    const key = load(path);
    expect(load(path, privateKey, false)).toBe(key);
    expect(load(join(newFolder(), 'journal.key'))).not.toBe(key);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${path}.new`)).toBe(false);
  });

  it('does not stand in its file', () => {
    const path = join(newFolder(), 'journal.key');
    const key = load(path);
    const file = readFileSync(path);
    expect(file.includes(key)).toBe(false);
    expect(file.includes(Buffer.from(key, 'base64url'))).toBe(false);
  });

  it('opens with the same private key in any form of PEM', () => {
    const path = join(newFolder(), 'journal.key');
    const key = load(path);
    for (const type of ['pkcs1', 'pkcs8'] as const) {
      const copy = createPrivateKey(privateKey.export({ type, format: 'pem' }));
      expect(load(path, copy)).toBe(key);
    }
  });

  it('does not open with another private key', () => {
    const path = join(newFolder(), 'journal.key');
    load(path);
    expect(() => load(path, newRsaKey())).toThrow(UserError);
    expect(() => load(path, newRsaKey())).toThrow(/FOLDER cannot be read with this key/);
  });

  it('that was wrapped under a former key is from then on under the new one alone', () => {
    const path = join(newFolder(), 'journal.key');
    const [next, older] = [newRsaKey(), newRsaKey()];
    const key = load(path);
    expect(loadDataKey(path, 'FOLDER', next, false, [older, privateKey])).toBe(key);
    expect(load(path, next)).toBe(key);
    expect(() => load(path)).toThrow(/cannot be read with this key/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${path}.new`)).toBe(false);
  });

  it('is not made anew beside a database that needs the old one', () => {
    const path = join(newFolder(), 'journal.key');
    expect(() => load(path, privateKey, false)).toThrow(/lost its key file/);
    expect(existsSync(path)).toBe(false);
  });

  it('is refused where any byte of its file was changed, or is missing', () => {
    const path = join(newFolder(), 'journal.key');
    load(path);
    const file = readFileSync(path);
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(path, changed);
      expect(() => load(path)).toThrow(UserError);
    }
    for (const wrong of [Buffer.alloc(0), file.subarray(0, -1), Buffer.concat([file, Buffer.alloc(1)])]) {
      writeFileSync(path, wrong);
      expect(() => load(path)).toThrow(/is damaged/);
    }
  });

  it('overwrites what a killed attempt left behind, however readable that was', () => {
    const path = join(newFolder(), 'journal.key');
    writeFileSync(`${path}.new`, 'half a k');
    chmodSync(`${path}.new`, 0o666);
    const key = load(path);
    expect(load(path)).toBe(key);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  // libsql ignores what comes after the 32nd byte.
  it('counts in its whole length', () => {
    const directory = newFolder();
    const key = load(join(directory, 'journal.key'));
    expect(key).toHaveLength(32);
    const path = join(directory, 'test.db');
    new Database({ path, directory, key }).exec('CREATE TABLE t (a)');
    const read = (other: string) =>
      new Database({ path, directory, key: other }).get<{ n: number }>('SELECT count(*) AS n FROM t')?.n;
    expect(read(key)).toBe(0);
    for (const at of [0, 31]) {
      const other = key.slice(0, at) + (key[at] === 'A' ? 'B' : 'A') + key.slice(at + 1);
      expect(() => read(other)).toThrow(UserError);
    }
  });
});
