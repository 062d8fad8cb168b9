import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, realpathSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkManifest, offeredFiles, readManifest } from '../../../src/peer/files/manifest.js';
import { MAX_MANIFEST_ENTRIES, MAX_PATH_BYTES } from '../../../src/protocol/constants.js';
import { ExitCode, ProtocolError, UserError } from '../../../src/protocol/errors.js';
import type { ManifestEntry } from '../../../src/protocol/messages.js';
import { aFile, aFolder } from './helpers/entries.js';
import { asNobody } from './helpers/nobody.js';
import { reader } from './helpers/open-sending.js';
import { never, scratchFolder } from './helpers/scratch.js';
import { plant } from './helpers/tree.js';

const names = (entries: readonly ManifestEntry[]) =>
  entries.map(({ path, directory }) => (directory ? `${path}/` : path));

async function refusalOf(paths: string[]): Promise<UserError> {
  const refusal = await readManifest(paths, reader, never).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(UserError);
  expect(refusal).toMatchObject({ exitCode: ExitCode.usage });
  return refusal as UserError;
}

describe('readManifest', () => {
  it('lists parents before children, depth first and sorted, with sizes, modes and times', async () => {
    const base = scratchFolder();
    plant(base, {
      'album/b/2.jpg': 'two!',
      'album/b/1.jpg': 'one',
      'album/a': '',
      'album/empty/': '',
      'note.txt': 'hi',
    });
    chmodSync(join(base, 'album/b/2.jpg'), 0o4751);
    utimesSync(join(base, 'album/b/2.jpg'), 1, 1_600_000_000.25);
    chmodSync(join(base, 'album/b'), 0o700);
    const { entries, sources, skipped } = await readManifest(
      [join(base, 'note.txt'), join(base, 'album')],
      reader,
      never,
    );
    expect(names(entries)).toEqual([
      'note.txt',
      'album/',
      'album/a',
      'album/b/',
      'album/b/1.jpg',
      'album/b/2.jpg',
      'album/empty/',
    ]);
    expect(entries[5]).toEqual({
      path: 'album/b/2.jpg',
      directory: false,
      size: 4,
      mode: 0o751,
      mtimeMs: 1_600_000_000_250,
    });
    expect(entries[3]).toMatchObject({ directory: true, size: 0, mode: 0o700 });
    expect(sources).toEqual([realpathSync(join(base, 'note.txt')), realpathSync(join(base, 'album'))]);
    expect(skipped).toEqual([]);
    checkManifest(entries);
  });

  it('lists more than one batch of names in one folder', async () => {
    const base = scratchFolder();
    plant(base, Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`many/${String(n).padStart(3, '0')}`, 'x'])));
    const { entries } = await readManifest([join(base, 'many')], reader, never);
    expect(entries.length).toBe(201);
    expect(names(entries)).toEqual(['many/', ...names(entries).slice(1).sort()]);
  });

  it('gives things of one name distinct names', async () => {
    const base = scratchFolder();
    plant(base, { 'x/a.tar.gz': '1', 'y/a.tar.gz': '2', 'y/A.tar.gz': '3', 'x/d.1/f': '', 'y/d.1/f': '' });
    const paths = ['x/a.tar.gz', 'y/a.tar.gz', 'y/A.tar.gz', 'x/d.1', 'y/d.1'].map((path) => join(base, path));
    const { entries, sources } = await readManifest(paths, reader, never);
    expect(names(entries)).toEqual([
      'a.tar.gz',
      'a (1).tar.gz',
      'A (2).tar.gz',
      'd.1/',
      'd.1/f',
      'd.1 (1)/',
      'd.1 (1)/f',
    ]);
    expect(sources).toEqual(paths.map((path) => realpathSync(path)));
  });

  it('names the real folder for paths that do not name one', async () => {
    const base = scratchFolder();
    plant(base, { 'photos/2024/a': '' });
    for (const path of ['photos/', 'photos/.', 'photos/2024/..', './photos//']) {
      const { entries, sources } = await readManifest([`${base}/${path}`], reader, never);
      expect(names(entries)).toEqual(['photos/', 'photos/2024/', 'photos/2024/a']);
      expect(sources).toEqual([realpathSync(join(base, 'photos'))]);
    }
  });

  it('follows a symlink that the person named, under the name they used', async () => {
    const base = scratchFolder();
    plant(base, { 'real/f': 'x', 'file.txt': 'y' });
    symlinkSync('real', join(base, 'folder-link'));
    symlinkSync('file.txt', join(base, 'file-link'));
    const { entries, sources } = await readManifest(
      [join(base, 'folder-link'), join(base, 'file-link')],
      reader,
      never,
    );
    expect(names(entries)).toEqual(['folder-link/', 'folder-link/f', 'file-link']);
    expect(sources).toEqual([realpathSync(join(base, 'real')), realpathSync(join(base, 'file.txt'))]);
  });

  it('leaves out, and tells, what is in a folder and is neither file nor folder', async () => {
    const base = scratchFolder();
    plant(base, { 'd/f': 'x', 'd/sub/': '' });
    symlinkSync('/etc', join(base, 'd/link'));
    symlinkSync('nowhere', join(base, 'd/sub/dangling'));
    spawnSync('mkfifo', [join(base, 'd/pipe')]);
    writeFileSync(Buffer.concat([Buffer.from(`${base}/d/not-utf8-`), Buffer.from([0xff, 0xfe])]), 'x');
    const { entries, skipped } = await readManifest([join(base, 'd')], reader, never);
    expect(names(entries)).toEqual(['d/', 'd/f', 'd/sub/']);
    expect(skipped.sort()).toEqual(['d/link', 'd/not-utf8-\ufffd\ufffd', 'd/pipe', 'd/sub/dangling']);
  });

  it('names a path that is not there', async () => {
    const base = scratchFolder();
    plant(base, { there: 'x' });
    expect((await refusalOf([join(base, 'there'), join(base, 'gone')])).message).toContain(
      `"${base}/gone" does not exist`,
    );
    expect((await refusalOf([join(base, 'there/')])).message).toContain('there');
    expect((await refusalOf([''])).message).toContain('""');
    expect((await refusalOf([])).message).toContain('nothing');
  });

  it('names a path that is neither file nor folder', async () => {
    expect((await refusalOf(['/dev/null'])).message).toContain('"/dev/null" is neither a file nor a folder');
    expect((await refusalOf(['/'])).message).toContain('"/"');
  });

  it.skipIf(!asNobody.possible)('names a file, or a folder, that may not be read', async () => {
    const base = scratchFolder();
    plant(base, { 'd/open': 'x', 'd/secret': 'x', 'e/closed/f': 'x' });
    for (const folder of [base, join(base, 'd'), join(base, 'e')]) chmodSync(folder, 0o755);
    chmodSync(join(base, 'd/secret'), 0o000);
    chmodSync(join(base, 'e/closed'), 0o000);
    onTestFinished(() => chmodSync(join(base, 'e/closed'), 0o700));
    await asNobody.run(async () => {
      const wrong = [join(base, 'd/secret'), join(base, 'd'), join(base, 'e')];
      const messages = (await Promise.all(wrong.map((path) => refusalOf([path])))).map(({ message }) => message);
      expect(messages).toEqual([
        `"${base}/d/secret" cannot be read: permission denied`,
        `"${base}/d/secret" cannot be read: permission denied`,
        `"${base}/e/closed" cannot be read: permission denied`,
      ]);
    });
  });

  it('stops when told to', async () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'd'));
    writeFileSync(join(base, 'd/f'), 'x');
    const stopped = AbortSignal.abort(new Error('enough'));
    await expect(readManifest([join(base, 'd')], reader, stopped)).rejects.toThrow('enough');
  });
});

describe('checkManifest', () => {
  const good = [aFolder('a'), aFolder('a/b'), aFile('a/b/c', 5), aFile('a/d'), aFile('e')];

  it('passes an honest manifest, odd names included', () => {
    checkManifest(good);
    checkManifest([aFile('a\u001b[31m\n'), aFile('back\\slash'), aFile('C:'), aFile('con'), aFile('...'), aFile(' ')]);
    checkManifest([aFile('x'), aFile('X'), { ...aFile('y'), mode: 0xffffffff, mtimeMs: -1 }]);
  });

  const hostile: [what: string, entries: ManifestEntry[]][] = [
    ['nothing at all', []],
    ['an absolute path', [aFile('/etc/passwd')]],
    ['a step up', [aFile('..')]],
    ['a step up inside', [aFolder('a'), aFile('a/../../b')]],
    ['a step nowhere', [aFolder('a'), aFile('a/./b')]],
    ['an empty path', [aFile('')]],
    ['an empty part', [aFolder('a'), aFile('a//b')]],
    ['a trailing slash', [aFolder('a/')]],
    ['a NUL', [aFile('a\0b')]],
    ['a path twice', [aFile('a'), aFile('a')]],
    ['a file and a folder of one path', [aFile('a'), aFolder('a')]],
    ['a file as a folder', [aFile('a'), aFile('a/b')]],
    ['a child before its parent', [aFile('a/b'), aFolder('a')]],
    ['a child without a parent', [aFolder('a'), aFile('b/c')]],
    ['a negative size', [aFile('a', -1)]],
    ['a broken size', [aFile('a', 0.5)]],
    ['an unsafe size', [aFile('a', 2 ** 53)]],
    ['a size that is no number', [aFile('a', Number.NaN)]],
    ['a folder with a size', [{ ...aFolder('a'), size: 1 }]],
    ['sizes beyond all counting', [aFile('a', Number.MAX_SAFE_INTEGER), aFile('b', 1)]],
    ['a negative mode', [{ ...aFile('a'), mode: -1 }]],
    ['an impossible time', [{ ...aFile('a'), mtimeMs: Number.POSITIVE_INFINITY }]],
    ['a path one byte too long', [aFile(`${'é'.repeat(MAX_PATH_BYTES / 2)}x`)]],
  ];
  it.each(hostile)('refuses %s', (_what, entries) => {
    expect(() => checkManifest(entries)).toThrow(ProtocolError);
    if (entries.length > 0) expect(() => checkManifest([...good.slice(4), ...entries])).toThrow(ProtocolError);
  });

  it('passes what is just within the bounds, and refuses what is just beyond', () => {
    checkManifest([aFile('é'.repeat(MAX_PATH_BYTES / 2))]);
    const most = Array.from({ length: MAX_MANIFEST_ENTRIES }, (_, n) => aFile(String(n)));
    checkManifest(most);
    expect(() => checkManifest([...most, aFile('one more')])).toThrow('too many entries');
    const longest = Array.from({ length: 17_000 }, (_, n) => aFile(String(n).padStart(MAX_PATH_BYTES, '0')));
    expect(() => checkManifest(longest)).toThrow('too long');
  });

  it('says nothing of what the other end wrote', () => {
    expect(() => checkManifest([aFile('\u001b[2J\0')])).toThrow(/^manifest entry 0: its path holds a NUL$/);
  });

  it('passes whatever readManifest makes of any tree', async () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'B', '.', '\\', ':', '\n', 'é'), minLength: 1, maxLength: 5 });
    const path = fc.array(
      part.filter((name) => !/^\.{1,2}$/.test(name)),
      { minLength: 1, maxLength: 4 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(path, { maxLength: 8 }), async (paths) => {
        const base = scratchFolder();
        for (const parts of paths) mkdirSync(join(base, 'top', ...parts), { recursive: true });
        mkdirSync(join(base, 'top'), { recursive: true });
        checkManifest((await readManifest([join(base, 'top')], reader, never)).entries);
      }),
      { numRuns: 50 },
    );
  });
});

describe('offeredFiles', () => {
  it('lists files, and folders that hold nothing', () => {
    const entries = [aFolder('a'), aFile('a/f', 3), aFolder('a/b'), aFolder('a/b/c'), aFolder('d'), aFile('e', 1)];
    expect(offeredFiles(entries)).toEqual([
      { name: 'a/f', size: 3 },
      { name: 'a/b/c/', size: 0 },
      { name: 'd/', size: 0 },
      { name: 'e', size: 1 },
    ]);
  });
});
