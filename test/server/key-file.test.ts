import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lookAtKeyFile } from '../../src/server/key-file.js';
import type { FileStamp } from '../../src/server/key-files.js';
import { publicPem } from '../support/keys.js';
import { identity, scratchFolder } from './fixture.js';

const [ann, bob] = [identity(0), identity(1)];

/** A stamp of a file that was last changed so long ago. */
function stamp(text: string, agoMs: number): FileStamp {
  return { text, size: 500, changedAt: Date.now() - agoMs };
}

async function scratchFile({ privateKey }: typeof ann): Promise<string> {
  const path = join(await scratchFolder(), 'x.pem');
  await writeFile(path, publicPem(privateKey));
  return path;
}

describe('a file whose content became unusable', () => {
  test('still counts as what it was at the first look, and no more at the second', async () => {
    const path = await scratchFile(ann);
    const good = await lookAtKeyFile(path, stamp('1', 5_000));
    await writeFile(path, publicPem(ann.privateKey).slice(0, 100));
    const first = await lookAtKeyFile(path, stamp('2', 0), good);
    expect(first).toMatchObject({ state: 'doubted', identity: { id: ann.id }, problem: expect.any(String) });
    const second = await lookAtKeyFile(path, stamp('2', 300), first);
    expect(second).toMatchObject({ state: 'read', identity: null, problem: first.problem });
  });

  test('counts as what it was while it goes on changing, and then as what it became', async () => {
    const path = await scratchFile(ann);
    let file = await lookAtKeyFile(path, stamp('0', 5_000));
    const pem = publicPem(bob.privateKey);
    for (const part of [1, 2, 3]) {
      await writeFile(path, pem.slice(0, part * 100));
      file = await lookAtKeyFile(path, stamp(String(part), 0), file);
      expect(file.identity?.id).toBe(ann.id);
    }
    await writeFile(path, pem);
    file = await lookAtKeyFile(path, stamp('4', 0), file);
    expect(file).toMatchObject({ identity: { id: bob.id }, problem: null });
  });

  test('is believed when it is whole again', async () => {
    const path = await scratchFile(ann);
    const good = await lookAtKeyFile(path, stamp('1', 5_000));
    await writeFile(path, '');
    const doubted = await lookAtKeyFile(path, stamp('2', 0), good);
    await writeFile(path, publicPem(ann.privateKey));
    expect(await lookAtKeyFile(path, stamp('2', 300), doubted)).toMatchObject({ state: 'read', problem: null });
  });
});

describe('a stamp', () => {
  test('of a file changed just now is not trusted for ever: another key may hide behind it', async () => {
    const path = await scratchFile(ann);
    const first = await lookAtKeyFile(path, stamp('1', 0));
    expect(first.state).toBe('read');
    await writeFile(path, publicPem(bob.privateKey));
    const later = await lookAtKeyFile(path, stamp('1', 1_100), first);
    expect(later).toMatchObject({ state: 'settled', identity: { id: bob.id } });
  });

  test('that is old and the same spares reading the file', async () => {
    const path = await scratchFile(ann);
    const settled = await lookAtKeyFile(path, stamp('1', 5_000));
    expect(settled.state).toBe('settled');
    await rm(path);
    expect(await lookAtKeyFile(path, stamp('1', 6_000), settled)).toBe(settled);
  });
});

test('a file that cannot be read just now stays as it was', async () => {
  const path = await scratchFile(ann);
  const before = await lookAtKeyFile(path, stamp('1', 5_000));
  await rm(path);
  expect(await lookAtKeyFile(path, stamp('2', 0), before)).toBe(before);
});
