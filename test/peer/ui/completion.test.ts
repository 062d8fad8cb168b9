import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complete } from '../../../src/peer/ui/completion.js';

let home: string;
let cwd: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'turbo-beep-completion-'));
  cwd = join(home, 'work');
  await mkdir(join(cwd, 'holiday pictures'), { recursive: true });
  await mkdir(join(cwd, 'houses'));
  for (const name of ['holiday.txt', 'notes.md', '.hidden', 'ünïcode 你.txt', "it's.txt"])
    await writeFile(join(cwd, name), '');
  await symlink('houses', join(cwd, 'link'));
});

afterAll(() => rm(home, { recursive: true }));

/** Completes with the cursor at the `|`, or at the end, and gives the line back with the cursor in it. */
async function tab(picture: string): Promise<{ line: string; choices: string[] }> {
  const at = picture.includes('|') ? picture.indexOf('|') : picture.length;
  const { text, cursor, choices } = await complete(picture.replace('|', ''), at, { home, cwd });
  return { line: `${text.slice(0, cursor)}|${text.slice(cursor)}`, choices };
}

describe('Tab', () => {
  test.each([
    ['/ac', '/accept |'],
    ['/q', '/quit |'],
    ['/send no', '/send notes.md |'],
    ['/send a no', '/send a notes.md |'],
    ['/send no| b', '/send notes.md | b'],
    ['/send ~/w', '/send ~/work/|'],
    ['/send ~', '/send ~/|'],
    ['/send ~/work/no', '/send ~/work/notes.md |'],
    ['/send hou', '/send houses/|'],
    ['/send li', '/send link/|'],
    ['/send holiday\\ ', '/send holiday\\ pictures/|'],
    ['/send "holiday ', '/send "holiday pictures/|'],
    ["/send 'no", "/send 'notes.md' |"],
    ['/send ün', '/send ünïcode\\ 你.txt |'],
    ['/send it', "/send it\\'s.txt |"],
    ['/send .h', '/send .hidden |'],
    ['/accept 1 no', '/accept 1 no|'],
    ['/accept 1 hou', '/accept 1 houses/|'],
    ['/send zzz', '/send zzz|'],
    ['/nothing', '/nothing|'],
    ['plain text', 'plain text|'],
    ['/send nowhere/x', '/send nowhere/x|'],
  ])('%s becomes %s', async (before, after) => {
    expect((await tab(before)).line).toBe(after);
  });

  test('goes as far as is certain, and shows the choices', async () => {
    expect(await tab('/send ho')).toEqual({
      line: '/send ho|',
      choices: ['holiday pictures/', 'holiday.txt', 'houses/'],
    });
    expect(await tab('/send hol')).toEqual({ line: '/send holiday|', choices: ['holiday pictures/', 'holiday.txt'] });
    expect((await tab('/s')).choices).toEqual(['/send', '/search']);
  });

  test('shows a full path for an absolute one', async () => {
    expect((await tab(`/send ${cwd}/no`)).line).toBe(`/send ${cwd}/notes.md |`);
  });

  test('shows all but hidden names after a space', async () => {
    const { choices } = await tab('/send ');
    expect(choices).toContain('notes.md');
    expect(choices).not.toContain('.hidden');
  });
});
