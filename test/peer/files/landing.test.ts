import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Confinement } from '../../../src/peer/files/folder.js';
import { type LocalManifest, readManifest } from '../../../src/peer/files/manifest.js';
import type { ReceivedFile, Receiving } from '../../../src/peer/files/receiving.js';
import { type Compiled, compileForNode } from '../../support/compile.js';
import type { CrashPlan } from './helpers/crashing-receiver.js';
import { openSending, reader } from './helpers/open-sending.js';
import { never, scratchFolder } from './helpers/scratch.js';
import { memoryStore, openReceiving, run } from './helpers/transfer.js';
import { noise, plant, sha256, survey } from './helpers/tree.js';

const kinds: Confinement[] = existsSync('/proc/self/fd') ? ['held', 'checked'] : ['checked'];

let program: Compiled;
beforeAll(async () => {
  program = await compileForNode('test/peer/files/helpers/crashing-receiver.ts');
});
afterAll(() => program.remove());

interface Outcome {
  /** Of the files that this run said were in place. */
  paths: string[];
  /** How many steps there were; null if it was killed. */
  steps: number | null;
}

/** Runs the receiver as a process of its own; `dieAfterFiles`: is killed from outside once it has reported so many. */
async function receive(plan: CrashPlan, dieAfterFiles = Number.POSITIVE_INFINITY): Promise<Outcome> {
  const child = spawn(process.execPath, [program.file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<string | number | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  child.stdin.end(JSON.stringify(plan));
  const outcome: Outcome = { paths: [], steps: null };
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('done ')) outcome.steps = Number(line.slice(5));
    else outcome.paths.push(line);
    if (outcome.paths.length === dieAfterFiles) child.kill('SIGKILL');
  }
  const end = await ended;
  if (end !== 0 && end !== 'SIGKILL') throw new Error(`the receiver ended with ${end}`);
  if (end === 'SIGKILL') outcome.steps = null;
  return outcome;
}

async function manifestOf(tree: Record<string, string | Buffer>, names: string[]): Promise<LocalManifest> {
  const base = scratchFolder();
  plant(base, tree);
  return readManifest(
    names.map((name) => join(base, name)),
    reader,
    never,
  );
}

describe('a receiver that is killed', () => {
  const files = {
    'd/a': 'alpha',
    'd/b': 'also',
    'd/empty/': '',
    'd/s/b': 'beta',
    'note.txt': 'note',
    'big.bin': noise(1_100_000),
    zero: '',
  };
  const names = ['d', 'note.txt', 'big.bin', 'zero'];
  const taken = { 'd/mine': 'mine', 'note.txt': 'mine' };

  async function expected(): Promise<Record<string, string>> {
    const base = scratchFolder();
    plant(base, { ...taken, 'note (1).txt': 'note', 'big.bin': files['big.bin'], zero: '' });
    plant(base, { 'd (1)/a': 'alpha', 'd (1)/b': 'also', 'd (1)/empty/': '', 'd (1)/s/b': 'beta' });
    return survey(base);
  }

  /** Kills a run before that step (0: not at all), goes on with another, and looks at what came of both. */
  async function receiveTwice(plan: Pick<CrashPlan, 'manifest' | 'confinement' | 'links' | 'dieBefore' | 'together'>) {
    const base = scratchFolder();
    const into = join(base, 'into');
    const notes = join(base, 'notes');
    plant(into, taken);
    const first = await receive({ ...plan, into, notes });
    const reported = new Set(first.paths);
    if (plan.dieBefore > 0) for (const path of await goOn(plan, into, notes)) reported.add(path);
    return {
      steps: first.steps,
      found: survey(into),
      reported: [...reported].sort().map((path) => relative(into, path)),
    };
  }

  async function goOn(
    plan: Pick<CrashPlan, 'manifest' | 'confinement'>,
    into: string,
    notes: string,
  ): Promise<string[]> {
    const receiving = await openAgain(plan, into, notes);
    const sending = openSending(plan.manifest);
    const received: ReceivedFile[] = [];
    // The link breaks whenever something has come of a file, and not yet its end.
    while (!receiving.finished) received.push(...(await run(sending, receiving, ({ kind }) => kind === 'data')).files);
    await receiving.complete();
    await sending.close();
    return [...receiving.recovered, ...received].map(({ path }) => path);
  }

  function openAgain(
    { manifest, confinement }: Pick<CrashPlan, 'manifest' | 'confinement'>,
    into: string,
    notes: string,
  ): Promise<Receiving> {
    const store = { ...memoryStore(), json: existsSync(notes) ? readFileSync(notes, 'utf8') : '' };
    return openReceiving(manifest.entries, into, store, confinement);
  }

  /** Two at a time: so many cores there are. */
  async function forEachStep(total: number, use: (dieBefore: number) => Promise<void>): Promise<void> {
    expect(total).toBeGreaterThan(30);
    const steps = Array.from({ length: total }, (_, index) => index + 1);
    const worker = async () => {
      for (let next = steps.shift(); next; next = steps.shift()) await use(next);
    };
    await Promise.all([worker(), worker()]);
  }

  const ways = [...kinds.map((kind) => [kind, false] as const), [kinds[0] ?? 'checked', true] as const];
  it.each(ways)(
    'before any step whatever, goes on to the very same result (%s folders, together: %s)',
    async (confinement, together) => {
      const manifest = await manifestOf(files, names);
      const whole = {
        found: await expected(),
        reported: ['big.bin', 'd (1)/a', 'd (1)/b', 'd (1)/s/b', 'note (1).txt', 'zero'],
      };
      const plan = { manifest, confinement, links: true, together };
      const { steps, ...uninterrupted } = await receiveTwice({ ...plan, dieBefore: 0 });
      expect(uninterrupted).toEqual(whole);
      await forEachStep(steps ?? 0, async (dieBefore) => {
        const outcome = await receiveTwice({ ...plan, dieBefore });
        expect(outcome, `killed before step ${dieBefore}`).toEqual({ ...whole, steps: null });
      });
    },
  );

  it('before any step whatever, leaves nothing that is not whole when it is discarded then', async () => {
    const manifest = await manifestOf(files, names);
    const plan = { manifest, confinement: kinds[0] ?? 'checked', links: true, together: true };
    const { steps, found: whole } = await receiveTwice({ ...plan, dieBefore: 0 });
    await forEachStep(steps ?? 0, async (dieBefore) => {
      if (dieBefore % 5 !== 0) return;
      const base = scratchFolder();
      const into = join(base, 'into');
      const notes = join(base, 'notes');
      plant(into, taken);
      await receive({ ...plan, into, notes, dieBefore });
      const receiving = await openAgain(plan, into, notes);
      await receiving.discard();
      const left = survey(into);
      expect(whole, `killed before step ${dieBefore}`).toMatchObject(left);
      for (const folder of ['d (1)', 'd (1)/s', 'd (1)/empty']) {
        const holds = Object.keys(left).some((path) => path.startsWith(`${folder}/`) && !path.endsWith('/'));
        expect(existsSync(join(into, folder)), `${folder} when killed before step ${dieBefore}`).toBe(holds);
      }
    });
  });

  it('before any step whatever, on a disk without hard links, overwrites and loses nothing', async () => {
    const manifest = await manifestOf(files, ['d', 'note.txt']);
    const { 'big.bin': _, zero: __, ...result } = await expected();
    const plan = { manifest, confinement: kinds[0] ?? 'checked', links: false };
    const { steps, found } = await receiveTwice({ ...plan, dieBefore: 0 });
    expect(found).toEqual(result);
    await forEachStep(steps ?? 0, async (dieBefore) => {
      const outcome = await receiveTwice({ ...plan, dieBefore });
      const at = `killed before step ${dieBefore}`;
      expect(outcome.steps, at).toBe(null);
      // The claim of a name may be left behind, empty, and the file then lies beside it under the next number.
      expect(outcome.found, at).toMatchObject({ 'd/mine': sha256('mine'), 'note.txt': sha256('mine') });
      expect(Object.values(outcome.found), at).toEqual(expect.arrayContaining(Object.values(result)));
      expect(
        Object.keys(outcome.found).filter((path) => path.includes('.turbo-beep-')),
        at,
      ).toEqual([]);
    });
  });

  it('from outside, over and over, puts every file in place once', async () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`d/${n % 7}/${n}`, `content of ${n}`]));
    const manifest = await manifestOf(many, ['d']);
    const base = scratchFolder();
    const into = join(base, 'into');
    const plan: CrashPlan = {
      manifest,
      into,
      notes: join(base, 'notes'),
      dieBefore: 0,
      confinement: kinds[0] ?? 'checked',
      links: true,
    };
    const reported = new Set<string>();
    let runs = 0;
    for (let ended = false; !ended; runs++) {
      const { paths, steps } = await receive(plan, 1 + ((runs * 7) % 20));
      for (const path of paths) reported.add(path);
      ended = steps !== null;
    }
    expect(runs).toBeGreaterThan(10);
    const whole = scratchFolder();
    plant(whole, many);
    expect(survey(into)).toEqual(survey(whole));
    expect(reported.size).toBe(300);
  });
});
