import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findKeyFiles, haveNamesChanged } from '../../src/server/key-files.js';
import { scratchFolder } from './fixture.js';

async function names(root: string): Promise<string[]> {
  const { stamps } = await findKeyFiles(root);
  return [...stamps.keys()].map((path) => path.slice(root.length + 1)).sort();
}

test('every file whose name ends in .pem is found at any depth, and nothing else', async () => {
  const root = await scratchFolder();
  await mkdir(join(root, 'a/b/c/d'), { recursive: true });
  await mkdir(join(root, 'folder.pem'));
  for (const name of [
    'x.pem',
    'a/x.pem',
    'a/b/c/d/x.pem',
    'folder.pem/x.pem',
    '.hidden.pem',
    'x.pem.tmp',
    'x.PEM',
    'pem',
  ]) {
    await writeFile(join(root, name), '');
  }
  expect(await names(root)).toEqual(['.hidden.pem', 'a/b/c/d/x.pem', 'a/x.pem', 'folder.pem/x.pem', 'x.pem']);
});

test('links to files and folders are followed, each folder once, and links in a circle end', async () => {
  const root = await scratchFolder();
  const elsewhere = await scratchFolder();
  await writeFile(join(elsewhere, 'far.pem'), '');
  await writeFile(join(elsewhere, 'plain'), '');
  await mkdir(join(root, 'real'));
  await symlink(root, join(root, 'real', 'up'));
  await symlink(join(root, 'real'), join(root, 'again'));
  await symlink(elsewhere, join(root, 'linked'));
  await symlink(elsewhere, join(root, 'linked-twice'));
  await symlink(join(elsewhere, 'plain'), join(root, 'renamed.pem'));
  await symlink(join(root, 'nothing'), join(root, 'dangling.pem'));
  await symlink('self.pem', join(root, 'self.pem'));
  const found = await names(root);
  expect(found.filter((name) => name.endsWith('far.pem'))).toHaveLength(1);
  expect(found.filter((name) => !name.endsWith('far.pem'))).toEqual(['renamed.pem']);
});

test('a file gets another stamp when it is written, replaced or touched', async () => {
  const root = await scratchFolder();
  const file = join(root, 'x.pem');
  const stamp = async () => (await findKeyFiles(root)).stamps.get(file)?.text;
  await writeFile(file, 'one');
  const first = await stamp();
  expect(await stamp()).toBe(first);
  await writeFile(file, 'longer');
  const second = await stamp();
  await writeFile(join(root, 'new'), 'longer');
  await rename(join(root, 'new'), file);
  const third = await stamp();
  await utimes(file, 1, 1);
  const fourth = await stamp();
  expect(new Set([first, second, third, fourth]).size).toBe(4);
});

test('a name that comes, goes or is given to another file shows in its folder, and content does not', async () => {
  const root = await scratchFolder();
  const [deep, linked, elsewhere] = [join(root, 'a/b'), await scratchFolder(), await scratchFolder()];
  await mkdir(deep, { recursive: true });
  await writeFile(join(deep, 'x.pem'), 'one');
  await symlink(linked, join(root, 'link'));
  const changedBy = async (act: () => Promise<unknown>) => {
    // Else a change within the same tick of the file system's clock as the last one would not show.
    for (const folder of [root, deep, linked]) await utimes(folder, 1, 1);
    const found = await findKeyFiles(root);
    expect(await haveNamesChanged(found)).toBe(false);
    await act();
    return await haveNamesChanged(found);
  };
  expect(await changedBy(() => writeFile(join(deep, 'x.pem'), 'two'))).toBe(false);
  expect(await changedBy(() => writeFile(join(deep, 'y.pem'), ''))).toBe(true);
  expect(await changedBy(() => rename(join(deep, 'y.pem'), join(deep, 'x.pem')))).toBe(true);
  expect(await changedBy(() => rm(join(deep, 'x.pem')))).toBe(true);
  expect(await changedBy(() => writeFile(join(linked, 'z.pem'), ''))).toBe(true);
  await symlink(elsewhere, join(root, 'other'));
  expect(await changedBy(() => rename(join(root, 'other'), join(root, 'link')))).toBe(true);
  expect(await changedBy(() => rm(root, { recursive: true }))).toBe(true);
});

test('a folder that is missing, or a file in its place, is said to be missing', async () => {
  const root = await scratchFolder();
  expect((await findKeyFiles(root)).rootMissing).toBe(false);
  expect((await findKeyFiles(join(root, 'none'))).rootMissing).toBe(true);
  await writeFile(join(root, 'file'), '');
  expect((await findKeyFiles(join(root, 'file'))).rootMissing).toBe(true);
});
