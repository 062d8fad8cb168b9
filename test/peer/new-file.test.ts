import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { writeNewFile } from '../../src/peer/new-file.js';
import { temporaryFolders } from '../support/folder.js';

const temporaryFolder = temporaryFolders();
let folder = '';
let path = '';
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, 'file');
});

describe('a new file', () => {
  test('has no name before it is whole', () => {
    function* content() {
      yield 'one';
      expect(existsSync(path)).toBe(false);
      yield 'two';
    }
    writeNewFile(path, 0o640, content());
    expect(readFileSync(path, 'utf8')).toBe('onetwo');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test('is not there at all when it cannot be written whole', () => {
    function* content() {
      yield 'one';
      throw new Error('no more');
    }
    expect(() => writeNewFile(path, 0o600, content())).toThrow('no more');
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['a file', () => writeFileSync(path, 'precious')],
    ['a link that leads nowhere', () => symlinkSync('nowhere', path)],
  ])('does not take the place of %s', (_, occupy) => {
    occupy();
    expect(() => writeNewFile(path, 0o600, ['x'])).toThrow('EEXIST');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test('sweeps away what a killed process left, and not what a living one writes', () => {
    const { pid: dead } = spawnSync(process.execPath, ['-e', '']);
    const living = `.turbo-beep-${process.ppid}.new`;
    for (const name of [`.turbo-beep-${dead}.new`, living, '.turbo-beep-x.new']) writeFileSync(join(folder, name), '');
    writeNewFile(path, 0o600, ['x']);
    expect(readdirSync(folder).sort()).toEqual([living, '.turbo-beep-x.new', 'file']);
  });
});
