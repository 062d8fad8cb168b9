import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { type Attributable, setAttributes } from '../../../src/peer/files/attributes.js';
import { scratchFolder } from './helpers/scratch.js';

async function aHandle() {
  const path = join(scratchFolder(), 'file');
  const handle = await open(path, 'w');
  onTestFinished(() => handle.close());
  return { path, handle };
}

it('keeps every time to the millisecond', async () => {
  const { path, handle } = await aHandle();
  const times = fc.integer({ min: 0, max: Date.UTC(2100, 0) });
  await fc.assert(
    fc.asyncProperty(times, async (mtimeMs) => {
      await setAttributes(handle, { directory: false, mode: 0o600, mtimeMs });
      expect(Math.floor((await stat(path)).mtimeMs)).toBe(mtimeMs);
    }),
  );
});

it.each([Number.MIN_SAFE_INTEGER, -1, Number.MAX_SAFE_INTEGER])('survives the time %d', async (mtimeMs) => {
  const { handle } = await aHandle();
  await setAttributes(handle, { directory: false, mode: 0o600, mtimeMs });
});

it.each([
  [0o7777, false, 0o777],
  [0o4755, false, 0o755],
  [0o000, false, 0o600],
  [0o444, false, 0o644],
  [0o2050, true, 0o750],
  [0o1777, true, 0o777],
  [0xffffffff, false, 0o777],
])('gives mode %o (folder: %s) as %o', async (mode, directory, given) => {
  const { path, handle } = await aHandle();
  await setAttributes(handle, { directory, mode, mtimeMs: 0 });
  expect((await stat(path)).mode & 0o7777).toBe(given);
});

it('makes do where the file system knows no modes or times, and nowhere else', async () => {
  const refusing = (code: string): Attributable => ({
    chmod: () => Promise.reject(Object.assign(new Error(code), { code })),
    utimes: async () => {},
  });
  await setAttributes(refusing('EPERM'), { directory: false, mode: 0, mtimeMs: 0 });
  await expect(setAttributes(refusing('EIO'), { directory: false, mode: 0, mtimeMs: 0 })).rejects.toThrow('EIO');
});
