import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolders } from '../../src/shared/make-folders.js';
import { temporaryFolders } from '../support/folder.js';

const temporaryFolder = temporaryFolders();

test('makes what is missing, and tells the first that was', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'a'));
  expect(makeFolders(join(folder, 'a/b/c/d'), 0o700)).toBe(join(folder, 'a/b'));
  for (const made of ['a/b', 'a/b/c/d']) expect(statSync(join(folder, made)).mode & 0o777).toBe(0o700);
  expect(makeFolders(join(folder, 'a/b/c/d'))).toBeUndefined();
});

test('takes a link to a folder for one, and a file for none', () => {
  const folder = temporaryFolder();
  symlinkSync(folder, join(folder, 'link'));
  writeFileSync(join(folder, 'file'), '');
  expect(makeFolders(join(folder, 'link'))).toBeUndefined();
  expect(() => makeFolders(join(folder, 'file'))).toThrow('EEXIST');
  expect(() => makeFolders(join(folder, 'file/below'))).toThrow('ENOTDIR');
});

test.runIf(existsSync('/proc/self'))('gives up where a folder that is there takes none', () => {
  expect(() => makeFolders('/proc/turbo-beep/home')).toThrow('ENOENT');
});
