import { constants, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { type Attributable, setAttributes } from '../../../src/peer/files/attributes.js';
import { OpenFile } from '../../../src/peer/files/open-file.js';
import { scratchFolder } from './helpers/scratch.js';

function aFile() {
  const path = join(scratchFolder(), 'file');
  const file = new OpenFile(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  onTestFinished(() => file.close());
  return { path, file };
}

it('keeps every time to the millisecond', () => {
  const { path, file } = aFile();
  const times = fc.integer({ min: 0, max: Date.UTC(2100, 0) });
  fc.assert(
    fc.property(times, (mtimeMs) => {
      setAttributes(file, { directory: false, mode: 0o600, mtimeMs });
      expect(Math.floor(statSync(path).mtimeMs)).toBe(mtimeMs);
    }),
  );
});

it.each([Number.MIN_SAFE_INTEGER, -1, Number.MAX_SAFE_INTEGER])('survives the time %d', (mtimeMs) => {
  const { file } = aFile();
  setAttributes(file, { directory: false, mode: 0o600, mtimeMs });
});

it.each([
  [0o7777, false, 0o777],
  [0o4755, false, 0o755],
  [0o000, false, 0o600],
  [0o444, false, 0o644],
  [0o2050, true, 0o750],
  [0o1777, true, 0o777],
  [0xffffffff, false, 0o777],
])('gives mode %o (folder: %s) as %o', (mode, directory, given) => {
  const { path, file } = aFile();
  setAttributes(file, { directory, mode, mtimeMs: 0 });
  expect(statSync(path).mode & 0o7777).toBe(given);
});

it('makes do where the file system knows no modes or times, and nowhere else', () => {
  const refusing = (code: string): Attributable => ({
    chmod: () => {
      throw Object.assign(new Error(code), { code });
    },
    utimes: () => {},
  });
  setAttributes(refusing('EPERM'), { directory: false, mode: 0, mtimeMs: 0 });
  expect(() => setAttributes(refusing('EIO'), { directory: false, mode: 0, mtimeMs: 0 })).toThrow('EIO');
});
