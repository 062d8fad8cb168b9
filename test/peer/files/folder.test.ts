import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Confinement, type Folder, openFolder } from '../../../src/peer/files/folder.js';
import { CREATE } from '../../../src/peer/files/open-flags.js';
import { scratchFolder } from './helpers/scratch.js';

const kinds: Confinement[] = existsSync('/proc/self/fd') ? ['held', 'checked'] : ['checked'];

async function opened(path: string, kind: Confinement): Promise<Folder> {
  return closedLater(await openFolder(path, kind));
}

function closedLater(folder: Folder): Folder {
  onTestFinished(() => folder.close());
  return folder;
}

/** As every writer does it. */
async function put(folder: Folder, name: string, content: string): Promise<void> {
  await folder.check();
  const file = await open(folder.at(name), CREATE, 0o600);
  try {
    await folder.check();
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

describe.each(kinds)('a %s folder', (kind) => {
  it('reaches what is in it', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'in/side'), { recursive: true });
    const folder = closedLater(await (await opened(base, kind)).enter('in'));
    await put(closedLater(await folder.enter('side')), 'f', 'hello');
    expect(readFileSync(join(base, 'in/side/f'), 'utf8')).toBe('hello');
    await folder.sync();
  });

  it('may itself be a symlink that the person chose', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'chosen'));
    await put(await opened(join(base, 'chosen'), kind), 'f', 'hello');
    expect(readFileSync(join(base, 'real/f'), 'utf8')).toBe('hello');
  });

  it.each(['', '.', '..', 'a/b', '/etc', '../x', 'a\\b', 'a\0'])('never takes %j for a name', async (name) => {
    const folder = await opened(scratchFolder(), kind);
    expect(() => folder.at(name)).toThrow('not a single name');
    await expect(folder.enter(name)).rejects.toThrow('not a single name');
  });

  it('does not enter a symlink, wherever it leads, nor a file', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'link'));
    symlinkSync('/', join(base, 'out'));
    writeFileSync(join(base, 'file'), '');
    const folder = await opened(base, kind);
    for (const name of ['link', 'out', 'file']) {
      await expect(folder.enter(name)).rejects.toMatchObject({ code: expect.stringMatching(/^(ENOTDIR|ELOOP)$/) });
    }
    await expect(folder.enter('missing')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('writes nothing elsewhere when a folder above is swapped for a symlink afterwards', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'into/a/b'), { recursive: true });
    mkdirSync(join(base, 'outside/b'), { recursive: true });
    const a = closedLater(await (await opened(join(base, 'into'), kind)).enter('a'));
    const b = closedLater(await a.enter('b'));
    renameSync(join(base, 'into/a'), join(base, 'moved'));
    symlinkSync(join(base, 'outside'), join(base, 'into/a'));
    const result = await put(b, 'f', 'secret').catch((error: unknown) => error);
    expect(existsSync(join(base, 'outside/b/f'))).toBe(false);
    if (kind === 'held') expect(readFileSync(join(base, 'moved/b/f'), 'utf8')).toBe('secret');
    else expect(result).toMatchObject({ code: 'ENOTDIR' });
  });

  it('is noticed to be gone', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'a'));
    const folder = closedLater(await (await opened(base, kind)).enter('a'));
    rmSync(join(base, 'a'), { recursive: true });
    await expect(put(folder, 'f', '')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes mode and time, the owner keeping entry', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'a'));
    const folder = closedLater(await (await opened(base, kind)).enter('a'));
    await folder.setAttributes({ mode: 0o2055, mtimeMs: 1_500_000_000_007 });
    const { mode, mtimeMs } = await stat(join(base, 'a'));
    expect([mode & 0o7777, Math.floor(mtimeMs)]).toEqual([0o755, 1_500_000_000_007]);
  });
});

it('is held on Linux unless told otherwise', async () => {
  const folder = closedLater(await openFolder(scratchFolder()));
  expect(folder.at('x').startsWith('/proc/self/fd/')).toBe(existsSync('/proc/self/fd'));
});
