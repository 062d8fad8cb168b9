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

describe.each(pages)('%s', (page) => {
  it('links only to what is there', () => {
    const missing = referencesOf(page).filter(
      ({ target }) => !existsSync(join(dirname(page), target.replace(/#.*/, ''))),
    );
    expect(missing).toEqual([]);
  });

  it('names, where it calls on a test, one that the file has', () => {
    const wrong = referencesOf(page)
      .filter(({ target }) => target.endsWith('.test.ts'))
      .filter(({ target, title }) => !title || !readFileSync(join(dirname(page), target), 'utf8').includes(title));
    expect(wrong).toEqual([]);
  });
});
