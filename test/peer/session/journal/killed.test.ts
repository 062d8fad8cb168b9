import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Compiled, compileForNode } from '../../../support/compile.js';
import { privatePem } from '../../../support/keys.js';
import { closeJournal, newFolder, openJournal, privateKey } from './fixture.js';

let program: Compiled;
let keyFile: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  program = await compileForNode('test/peer/session/journal/journal-process.ts');
  keyFile = join(newFolder(), 'key.pem');
  writeFileSync(keyFile, privatePem(privateKey), { mode: 0o600 });
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await program.remove();
});

/** Runs until it has said `lines` lines, then kills it with -9 unless it ended by itself. All that it said. */
async function runUntil(lines: number, mode: string, folder: string): Promise<string[]> {
  const child = start(mode, folder);
  const said: string[] = [];
  const output = createInterface(child.stdout);
  output.on('line', (line) => {
    said.push(line);
    if (said.length === lines) child.kill('SIGKILL');
  });
  await Promise.all([once(child, 'close'), once(output, 'close')]);
  return said;
}

function start(mode: string, folder: string) {
  const child = spawn(process.execPath, [program.file, mode, folder, keyFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

describe('a process killed with -9', () => {
  it('while it makes its journal leaves one that opens', async () => {
    let unfinished = 0;
    for (let round = 1; round <= 12; round++) {
      const folder = newFolder();
      const finished = (await runUntil(round, 'create', folder)).length;
      for (let count = 1; count <= finished + 1; count++) {
        const directory = join(folder, String(count));
        if (!existsSync(directory)) continue;
        if (count > finished) unfinished++;
        const journal = openJournal(directory);
        const texts = journal.history(9).map(({ text }) => text);
        if (count <= finished) expect(texts).toEqual([String(count)]);
        else expect([[], [String(count)]]).toContainEqual(texts);
        closeJournal(journal);
      }
    }
    expect(unfinished).toBeGreaterThan(0);
  });

  it('while it writes leaves all that it said was written, without gap, and half of nothing', async () => {
    const folder = newFolder();
    let before = 0;
    for (let round = 1; round <= 12; round++) {
      const said = await runUntil(round * 7, 'append', folder);
      expect(said.map(Number)).toEqual(said.map((_, index) => before + index + 1));
      const journal = openJournal(folder);
      const last = journal.lastSequence();
      expect(last - before - said.length).toBeOneOf([0, 1]);
      const expected = Array.from({ length: last }, (_, index) => index + 1);
      expect(journal.outgoing(0, last + 1).map(({ sequence }) => sequence)).toEqual(expected);
      expect(journal.history(last + 1).map(({ text }) => text)).toEqual(expected.map((count) => `text ${count}`));
      expect(journal.search(`text ${last}`, 9).at(-1)?.text).toBe(`text ${last}`);
      expect(journal.transfers.find('ab'.repeat(16))?.progress).toBe(String(last));
      closeJournal(journal);
      before = last;
    }
  });
});

describe('a second process', () => {
  it('is refused with exit code 2 while the first lives, and let in when that was killed with -9', async () => {
    const folder = newFolder();
    const holder = start('hold', folder);
    await once(createInterface(holder.stdout), 'line');

    const second = start('hold', folder);
    const [line] = await once(createInterface(second.stdout), 'line');
    const [code] = await once(second, 'exit');
    expect(line).toBe(`the journal in ${folder} is already open in another process`);
    expect(code).toBe(2);
    expect(() => openJournal(folder)).toThrow(/already open/);

    const gone = once(holder, 'exit');
    holder.kill('SIGKILL');
    await gone;
    expect(openJournal(folder).lastSequence()).toBe(0);
  });

  it('is refused also after the first tried to open the journal twice', async () => {
    const folder = newFolder();
    const journal = openJournal(folder);
    expect(() => openJournal(folder)).toThrow(/already open/);
    expect(await runUntil(2, 'hold', folder)).toEqual([`the journal in ${folder} is already open in another process`]);
    closeJournal(journal);
    expect(await runUntil(1, 'hold', folder)).toEqual(['open']);
  });
});
