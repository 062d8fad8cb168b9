import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const pages = ['README.md', 'proto/README.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

interface Reference {
  target: string;
  title: string | undefined;
}

/** `[text](target)` and `[text](target "title")`, of targets in this tree. */
function referencesOf(page: string): Reference[] {
  const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/\]\(([^\s()]+)(?:\s+"([^"]+)")?\)/g)]
    .map(([, target = '', title]) => ({ target, title }))
    .filter(({ target }) => !target.includes('://') && !target.startsWith('#'));
}

function contentOf(page: string, target: string): string {
  return readFileSync(join(dirname(page), target), 'utf8');
}

describe.each(pages)('%s', (page) => {
  it('links only to what is there', () => {
    const missing = referencesOf(page).filter(
      ({ target }) => !existsSync(join(dirname(page), target.replace(/#.*/, ''))),
    );
    expect(missing).toEqual([]);
  });

  it('names, where it calls on a test, one that the file has', () => {
    const calls = referencesOf(page).filter(({ target }) => target.endsWith('.test.ts'));
    expect(calls.filter(({ target, title }) => !title || !contentOf(page, target).includes(title))).toEqual([]);
  });

  it('points, where it names something of a source file, to what the file has', () => {
    const pointers = referencesOf(page).filter(({ target, title }) => target.endsWith('.ts') && title !== undefined);
    expect(pointers.filter(({ target, title = '' }) => !contentOf(page, target).includes(title))).toEqual([]);
  });
});

it('the tour tells of every folder of the source', () => {
  const [, map = ''] = /^## The map\n\n```\n([\s\S]*?)^```/m.exec(readFileSync('docs/tour.md', 'utf8')) ?? [];
  const told = [...map.matchAll(/^ *(\S+)\/ /gm)].map(([, name = '']) => name.replace('src/', ''));
  const folders = readdirSync('src', { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(told.sort()).toEqual(folders.map(({ name }) => name).sort());
});
