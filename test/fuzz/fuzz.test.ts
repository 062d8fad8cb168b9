import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Compiled, compileForNode } from '../support/compile.js';
import { Coverage } from './coverage.js';
import { fuzz, runOne } from './fuzz.js';
import type { Target } from './target.js';
import { TARGETS } from './targets/index.js';

const FINDINGS = join(import.meta.dirname, 'findings');
const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('every parser', () => {
  let program: Compiled;
  beforeAll(async () => {
    program = await compileForNode('test/fuzz/main.ts');
    symlinkSync(resolve('proto'), join(dirname(program.file), '../../proto'));
  });
  afterAll(() => program.remove());

  test('takes in or refuses whatever comes, for as long as there is time', async () => {
    const seed = String(Date.now() % 1_000_000);
    const options = ['--seconds', '20', '--seed', seed, '--findings', join(folder, 'new')];
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program.file, ...options]);
    expect(stdout).toMatch(/, 0 findings, seed/);
    for (const { name } of TARGETS) expect(stdout).toContain(name);
  });
});

describe('what once broke a parser breaks it no more:', () => {
  afterAll(async () => {
    for (const target of TARGETS) await target.close?.();
  });
  const targets = TARGETS.filter(({ name }) => existsSync(join(FINDINGS, name)));

  test.each(targets)('$name', async (target) => {
    target.seeds();
    for (const file of readdirSync(join(FINDINGS, target.name))) {
      expect(await runOne(target, readFileSync(join(FINDINGS, target.name, file))), file).toBeNull();
    }
  });
});

describe('the fuzzer', () => {
  const target = (run: Target['run']): Target => ({
    name: 'planted',
    seeds: () => [Buffer.from('hello')],
    maxBytes: 64,
    maxMs: 50,
    run,
  });
  const options = { seed: 1, maxInputs: 200_000, maxMs: 20_000, more: [], folder, coverage: null, watchdog: null };

  test('finds what is wrong, once, and keeps the input that shows it', async () => {
    const { findings } = await fuzz(
      target((input) => {
        if (input.includes(0)) throw new RangeError('a zero');
      }),
      { ...options, maxInputs: 2_000 },
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]?.times).toBeGreaterThan(1);
    expect(readFileSync(findings[0]?.file ?? '')).toContain(0);
  });

  test('says so of an input that takes too long', async () => {
    const slow = target(() => {
      for (const before = process.cpuUsage(); process.cpuUsage(before).user < 100_000; );
    });
    expect(await runOne(slow, Buffer.alloc(1))).toMatchObject({ message: expect.stringMatching(/^took \d+ ms/) });
  });

  test('takes the same way again with the same seed', async () => {
    const ran: string[][] = [[], []];
    for (const inputs of ran) {
      await fuzz(
        target((input) => void inputs.push(input.toString('hex'))),
        { ...options, maxInputs: 500 },
      );
    }
    expect(ran[0]).toEqual(ran[1]);
  });

  test('sees which of this project’s code ran, and goes on from what ran anew', async () => {
    const coverage = new Coverage();
    coverage.start();
    const { corpus } = await fuzz(TARGETS.find(({ name }) => name === 'frames') as Target, {
      ...options,
      maxInputs: 2_000,
      coverage,
    });
    coverage.stop();
    expect(corpus).toBeGreaterThan(0);
  });
});
