import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolders } from '../support/folder.js';

/** What scripts/test says at the end is only worth something if it cannot say so of what did not happen. */
const repository = resolve(import.meta.dirname, '../..');
const temporaryFolder = temporaryFolders();

interface Counts {
  passed: number;
  failed: string[];
  skipped: { name: string; reason: string }[];
}

function runNode(args: string[], env: Record<string, string> = {}): Promise<{ code: number; stdout: string }> {
  return new Promise((settle) => {
    const options = { env: { ...process.env, NO_COLOR: '1', ...env } };
    execFile(process.execPath, args, options, (error, stdout) => settle({ code: Number(error?.code ?? 0), stdout }));
  });
}

async function sumUp(
  lines: string[],
  runs: Record<string, Counts> = {},
): Promise<{ code: number; last: string; all: string }> {
  const folder = temporaryFolder();
  for (const [name, counts] of Object.entries(runs)) writeFileSync(join(folder, name), JSON.stringify(counts));
  writeFileSync(join(folder, 'log'), `${lines.join('\n').replaceAll('FOLDER', folder)}\n`);
  const { code, stdout } = await runNode([join(repository, 'scripts/lib/sum-up.mjs'), join(folder, 'log')]);
  return { code, last: stdout.trimEnd().split('\n').at(-1) ?? '', all: stdout };
}

describe('the sum of steps and runs', () => {
  const good: Counts = { passed: 10, failed: [], skipped: [] };

  test('adds up both runs and the steps, and is good if nothing failed', async () => {
    const lines = ['passed packages', 'passed build', 'counts FOLDER/a Node 20', 'counts FOLDER/b Node 24'];
    expect(await sumUp(lines, { a: good, b: good })).toMatchObject({ code: 0, last: '22 passed, 0 failed' });
  });

  test('names what failed, and then is bad', async () => {
    const bad = { ...good, failed: ['x.test.ts: breaks'] };
    const { code, last, all } = await sumUp(['failed types', 'counts FOLDER/a Node 20'], { a: bad });
    expect({ code, last }).toEqual({ code: 1, last: '10 passed, 2 failed' });
    expect(all).toContain('\nFailed:\n  types\n  Node 20: x.test.ts: breaks\n');
  });

  test('names what was skipped, where, and why', async () => {
    const some = { ...good, skipped: [{ name: 'x.test.ts: needs root', reason: 'not root' }] };
    const lines = ['counts FOLDER/a Node 20', 'counts FOLDER/b Node 24', 'skipped something else'];
    const { code, last, all } = await sumUp(lines, { a: some, b: some });
    expect({ code, last }).toEqual({ code: 0, last: '20 passed, 0 failed, 3 skipped' });
    expect(all).toContain('\nSkipped:\n  x.test.ts: needs root (not root), on Node 20 and Node 24\n  something else\n');
  });

  test('says once what many were skipped for, and counts each', async () => {
    const names = Array.from({ length: 60 }, (_, at) => `x.test.ts: number ${at}`);
    const many = { ...good, skipped: names.map((name) => ({ name, reason: 'the lab needs root' })) };
    const { last, all } = await sumUp(['counts FOLDER/a Node 20'], { a: many });
    expect(last).toBe('10 passed, 0 failed, 60 skipped');
    expect(all).toContain('\nSkipped:\n  60 tests (the lab needs root), on Node 20\n\n');
  });

  test('is bad if a run never came to its end', async () => {
    const { code, last, all } = await sumUp(['passed build', 'counts FOLDER/gone Node 20']);
    expect({ code, last }).toEqual({ code: 1, last: '1 passed, 1 failed' });
    expect(all).toContain('Node 20: ended before it was done');
  });

  test('is bad if nothing was tested at all', async () => {
    expect(await sumUp([])).toMatchObject({ code: 1, last: '0 passed, 0 failed' });
  });
});

test('the reporter counts every test, and what has no test to blame', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'test'));
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const files = {
    'mixed.test.js': `import { describe, expect, test } from 'vitest';
      test('holds', () => {});
      describe('in a group', () => {
        test('breaks', () => expect(1).toBe(2));
        test('is skipped', (context) => context.skip('for a reason'));
        test.skip('is skipped too', () => {});
        test.todo('is not yet written');
      });`,
    'unloadable.test.js': `throw new Error('cannot be loaded');`,
    'setup.test.js': `import { beforeAll, describe, test } from 'vitest';
      describe('a group', () => {
        beforeAll(() => { throw new Error('cannot be set up'); });
        test('never runs', () => {});
      });`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'test', name), text);
  const reporter = join(repository, 'scripts/lib/count-reporter.mjs');
  const counts = join(folder, 'counts.json');
  const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
  const { code } = await runNode([vitest, 'run', '--root', folder, `--reporter=${reporter}`], { TEST_COUNTS: counts });
  expect(code).toBe(1);
  const { passed, failed, skipped }: Counts = JSON.parse(readFileSync(counts, 'utf8'));
  expect(passed).toBe(1);
  expect(failed).toEqual(
    expect.arrayContaining([
      'test/mixed.test.js: in a group > breaks',
      'test/unloadable.test.js: cannot be loaded',
      'test/setup.test.js: cannot be set up',
    ]),
  );
  expect(failed).toHaveLength(3);
  expect(skipped).toEqual(
    expect.arrayContaining([
      { name: 'test/mixed.test.js: in a group > is skipped', reason: 'for a reason' },
      { name: 'test/mixed.test.js: in a group > is skipped too', reason: '' },
      { name: 'test/mixed.test.js: in a group > is not yet written', reason: '' },
    ]),
  );
});
