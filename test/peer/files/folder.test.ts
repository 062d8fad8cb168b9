import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Confinement, type Folder, openFolder } from '../../../src/peer/files/folder.js';
import { OpenFile } from '../../../src/peer/files/open-file.js';
import { CREATE } from '../../../src/peer/files/open-flags.js';
import { scratchFolder } from './helpers/scratch.js';

const kinds: Confinement[] = existsSync('/proc/self/fd') ? ['held', 'checked'] : ['checked'];

function opened(path: string, kind: Confinement): Folder {
  return closedLater(openFolder(path, kind));
}

function closedLater(folder: Folder): Folder {
  onTestFinished(() => folder.close());
  return folder;
}

/** As every writer does it. */
function put(folder: Folder, name: string, content: string): void {
  folder.check();
  const file = new OpenFile(folder.at(name), CREATE, 0o600);
  try {
    folder.check();
    file.write(Buffer.from(content), 0);
  } finally {
    file.close();
  }
}

function caught(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.each(kinds)('a %s folder', (kind) => {
  it('reaches what is in it', () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'in/side'), { recursive: true });
    const folder = closedLater(opened(base, kind).enter('in'));
    put(closedLater(folder.enter('side')), 'f', 'hello');
    expect(readFileSync(join(base, 'in/side/f'), 'utf8')).toBe('hello');
    folder.sync();
  });

  it('may itself be a symlink that the person chose', () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'chosen'));
    put(opened(join(base, 'chosen'), kind), 'f', 'hello');
    expect(readFileSync(join(base, 'real/f'), 'utf8')).toBe('hello');
  });

  it.each(['', '.', '..', 'a/b', '/etc', '../x', 'a\\b', 'a\0'])('never takes %j for a name', (name) => {
    const folder = opened(scratchFolder(), kind);
    expect(() => folder.at(name)).toThrow('not a single name');
    expect(() => folder.enter(name)).toThrow('not a single name');
  });

  it('does not enter a symlink, wherever it leads, nor a file', () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'link'));
    symlinkSync('/', join(base, 'out'));
    writeFileSync(join(base, 'file'), '');
    const folder = opened(base, kind);
    for (const name of ['link', 'out', 'file']) {
      expect(caught(() => folder.enter(name))).toMatchObject({ code: expect.stringMatching(/^(ENOTDIR|ELOOP)$/) });
    }
    expect(caught(() => folder.enter('missing'))).toMatchObject({ code: 'ENOENT' });
  });

  it('writes nothing elsewhere when a folder above is swapped for a symlink afterwards', () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'into/a/b'), { recursive: true });
    mkdirSync(join(base, 'outside/b'), { recursive: true });
    const a = closedLater(opened(join(base, 'into'), kind).enter('a'));
    const b = closedLater(a.enter('b'));
    renameSync(join(base, 'into/a'), join(base, 'moved'));
    symlinkSync(join(base, 'outside'), join(base, 'into/a'));
    const result = caught(() => put(b, 'f', 'secret'));
    expect(existsSync(join(base, 'outside/b/f'))).toBe(false);
    if (kind === 'held') expect(readFileSync(join(base, 'moved/b/f'), 'utf8')).toBe('secret');
    else expect(result).toMatchObject({ code: 'ENOTDIR' });
  });

  it('is noticed to be gone', () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'a'));
    const folder = closedLater(opened(base, kind).enter('a'));
    rmSync(join(base, 'a'), { recursive: true });
    expect(caught(() => put(folder, 'f', ''))).toMatchObject({ code: 'ENOENT' });
  });

  it('takes mode and time, the owner keeping entry', () => {
    const base = scratchFolder();
    mkdirSync(join(base, 'a'));
    const folder = closedLater(opened(base, kind).enter('a'));
    folder.setAttributes({ mode: 0o2055, mtimeMs: 1_500_000_000_007 });
    const { mode, mtimeMs } = statSync(join(base, 'a'));
    expect([mode & 0o7777, Math.floor(mtimeMs)]).toEqual([0o755, 1_500_000_000_007]);
  });
});

it('is held on Linux unless told otherwise', () => {
  const folder = closedLater(openFolder(scratchFolder()));
  expect(folder.at('x').startsWith(`/proc/${process.pid}/fd/`)).toBe(existsSync('/proc/self/fd'));
});
