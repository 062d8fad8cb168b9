import { statfsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureRoom, freeBytes } from '../../../src/peer/files/space.js';
import { ExitCode, UserError } from '../../../src/protocol/errors.js';
import { scratchFolder } from './helpers/scratch.js';
import { smallDisk } from './helpers/small-disk.js';

describe('freeBytes', () => {
  it('asks the nearest ancestor of a folder that is not there yet', async () => {
    const base = scratchFolder();
    const { bsize, bavail } = statfsSync(base);
    const free = await freeBytes(join(base, 'not', 'there', 'yet'));
    // Other programs use this disk as well.
    expect(Math.abs(free - bsize * bavail)).toBeLessThan(4 * 1024 ** 3);
    expect(free).toBeGreaterThan(0);
  });

  it('does not know where it may not look', async () => {
    const loop = join(scratchFolder(), 'loop');
    symlinkSync(loop, loop);
    expect(await freeBytes(join(loop, 'new'))).toBe(Number.POSITIVE_INFINITY);
  });

  it.skipIf(!smallDisk.possible)(
    'tells what is free on the disk that a symlink leads to (needs root to mount)',
    async () => {
      const disk = smallDisk.mount(4 * 1024 * 1024);
      const link = join(scratchFolder(), 'link');
      symlinkSync(disk, link);
      expect(await freeBytes(join(link, 'new'))).toBeLessThanOrEqual(4 * 1024 * 1024);
    },
  );
});

describe('ensureRoom', () => {
  it('passes what fits', async () => {
    await ensureRoom(join(scratchFolder(), 'new'), 1);
  });

  it('names what is needed and what is free when it does not fit', async () => {
    const refusal = await ensureRoom(scratchFolder(), 2 ** 52).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UserError);
    expect(refusal).toMatchObject({
      exitCode: ExitCode.transferIncomplete,
      message: expect.stringMatching(/4,503,599,627,370,496 bytes are needed, [\d,]+ bytes are free/),
    });
  });
});
