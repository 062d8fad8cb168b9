import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DIST } from './support/program.js';

/** Prints which of the pieces that were loaded had their code, and V8 took it. */
const REPORT = `process.argv = ['node', 'p2p', '--version'];
const { pieces } = require(process.env.MAIN);
process.on('exit', () => {
  const taken = [...pieces.values()].map(({ script }) => script.cachedDataRejected === false);
  require('node:fs').writeSync(1, JSON.stringify(taken));
});`;

const CODE = /\.code$/;

describe('a program that is started', () => {
  let folder: string;
  let main: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'turbo-beep-start-'));
    cpSync(DIST, join(folder, 'dist'), { recursive: true, filter: (name) => !CODE.test(name) });
    for (const name of ['package.json', 'proto', 'node_modules']) symlinkSync(resolve(name), join(folder, name));
    main = join(folder, 'dist/peer/main.js');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (...args: string[]) => execFileSync(process.execPath, args, { encoding: 'utf8', env: { MAIN: main } });
  const help = () => run(main, '--help');
  const taken = (): boolean[] => JSON.parse(run('-e', REPORT).replace(/^[^[]*/, ''));
  const keepCode = () => run(resolve('scripts/lib/record.cjs'), main, '--help');
  const codeFiles = () =>
    readdirSync(join(folder, 'dist/peer'))
      .filter((name) => CODE.test(name))
      .map((name) => join(folder, 'dist/peer', name));

  function changeCode(change: (kept: Buffer) => Buffer): void {
    expect(codeFiles().length).toBeGreaterThan(0);
    for (const file of codeFiles()) writeFileSync(file, change(readFileSync(file)));
  }

  test.each(['peer', 'server'])('in a folder that was removed says so (%s)', (program) => {
    const gone = 'mkdir "$1" && cd "$1" && rmdir "$1" && exec "$2" "$3" --help';
    const [file, there] = [join(folder, 'dist', program, 'main.js'), join(folder, 'gone')];
    const { status, stderr } = spawnSync('sh', ['-c', gone, 'sh', there, process.execPath, file], { encoding: 'utf8' });
    expect(stderr).toMatch(/^The folder that you are in was removed\.\nGo to another one/);
    expect(status).toBe(2);
  });

  test('takes the code that was kept of its pieces', () => {
    expect(new Set(taken())).toEqual(new Set([false]));
    keepCode();
    expect(new Set(taken())).toEqual(new Set([true]));
  });

  test.each<[string, (kept: Buffer) => Buffer]>([
    ['is empty', () => Buffer.alloc(0)],
    ['is cut short', (kept) => kept.subarray(0, kept.length / 2)],
    ['has a wrong byte in its head', (kept) => kept.fill(kept.readUInt8(36) ^ 0xff, 36, 37)],
    ['has wrong bytes in it', (kept) => kept.fill(0xff, kept.length / 2, kept.length / 2 + 64)],
    ['is something else', () => Buffer.alloc(100_000, 'something else')],
  ])('does without code that %s', (_, change) => {
    const told = help();
    keepCode();
    changeCode(change);
    expect(help()).toBe(told);
    expect(new Set(taken())).toEqual(new Set([false]));
  });

  test('does without the code of an older text of the same length', () => {
    keepCode();
    const piece = join(folder, 'dist/peer/program.js');
    const text = readFileSync(piece, 'latin1');
    expect(text).toContain('Chat and send files straight');
    writeFileSync(piece, text.replace('Chat and send files straight', 'Chat and send files STRAIGHT'), 'latin1');
    expect(help()).toContain('STRAIGHT');
  });

  test('does without code that V8 made with other flags', () => {
    const told = help();
    keepCode();
    expect(run('--no-opt', main, '--help')).toBe(told);
  });
});
