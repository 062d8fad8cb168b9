import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../../src/peer/settings/settings-lock.js';
import { temporaryFolders } from '../../support/folder.js';

const temporaryFolder = temporaryFolders();

function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

test('the lock is there during the work, names this process, and is gone after it', () => {
  const path = join(temporaryFolder(), 'lock');
  const mark = withLock(path, () => readFileSync(path, 'utf8'));
  expect(Number.parseInt(mark, 10)).toBe(process.pid);
  expect(existsSync(path)).toBe(false);
});

test('work that throws lets go of the lock', () => {
  const path = join(temporaryFolder(), 'lock');
  expect(() =>
    withLock(path, () => {
      throw new Error('on purpose');
    }),
  ).toThrow('on purpose');
  expect(existsSync(path)).toBe(false);
});

test("a killed process's lock does not count, and nothing of it stays", () => {
  const folder = temporaryFolder();
  const path = join(folder, 'lock');
  writeFileSync(path, `${deadPid()} 0123456789abcdef`);
  expect(withLock(path, () => 'done')).toBe('done');
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['without a mark, as of a process killed at the wrong moment', ''],
  ['of a process number that is somebody else’s by now', '1 0123456789abcdef'],
])('an old lock %s does not count', (_, mark) => {
  const path = join(temporaryFolder(), 'lock');
  writeFileSync(path, mark);
  utimesSync(path, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
  expect(withLock(path, () => 'done')).toBe('done');
});

test('a living process that has the lock for long is waited for, and passed over in the end', () => {
  const path = join(temporaryFolder(), 'lock');
  writeFileSync(path, `${process.ppid} 0123456789abcdef`);
  const began = Date.now();
  withLock(path, () => {});
  expect(Date.now() - began).toBeGreaterThan(4_000);
});

test('whoever lost the lock meanwhile does not take away the new owner’s', () => {
  const path = join(temporaryFolder(), 'lock');
  withLock(path, () => writeFileSync(path, 'another'));
  expect(readFileSync(path, 'utf8')).toBe('another');
});
