import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Confinement } from '../../../src/peer/files/folder.js';
import { DigestMismatchError, type Receiving } from '../../../src/peer/files/receiving.js';
import { ExitCode, ProtocolError, UserError } from '../../../src/protocol/errors.js';
import type { ManifestEntry } from '../../../src/protocol/messages.js';
import { aFile, aFolder, MTIME_MS } from './helpers/entries.js';
import { asNobody } from './helpers/nobody.js';
import { openFiles } from './helpers/open-files.js';
import { scratchFolder } from './helpers/scratch.js';
import { smallDisk } from './helpers/small-disk.js';
import { memoryStore, openReceiving } from './helpers/transfer.js';
import { noise, plant, sha256, survey } from './helpers/tree.js';

const MIB = 1024 * 1024;
const PLACED_ELSEWHERE = '"placing":[{"entry":0,"name":"../x","sha256":"","state":"placed"}]';
const kinds: Confinement[] = existsSync('/proc/self/fd') ? ['held', 'checked'] : ['checked'];

async function begin(
  entries: ManifestEntry[],
  into = join(scratchFolder(), 'into'),
  store = memoryStore(),
  kind?: Confinement,
): Promise<{ receiving: Receiving; into: string }> {
  const receiving = await openReceiving(entries, into, store, kind);
  onTestFinished(() => receiving.suspend());
  return { receiving, into };
}

/** Wants, resumes from the start and sends whole files. */
async function send(receiving: Receiving, files: Record<number, string | Buffer>) {
  const { entry } = await receiving.want();
  await receiving.resume(entry, 0);
  const received = [];
  for (const [index, content] of Object.entries(files))
    received.push(await sendFile(receiving, Number(index), content));
  return received;
}

async function sendFile(receiving: Receiving, entry: number, content: string | Buffer) {
  const bytes = Buffer.from(content);
  if (bytes.length > 0) await receiving.write(entry, 0, bytes);
  return receiving.fileEnd(entry, bytes.length, digest(bytes));
}

function digest(content: string | Buffer): Buffer {
  return Buffer.from(sha256(content), 'hex');
}

function replace(path: string, put: () => void): void {
  rmSync(path);
  put();
}

function tempsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('.turbo-beep-'));
}

describe.each(kinds)('a transfer (%s folders)', (kind) => {
  it('puts files and folders in place with their modes and times, in a folder made for it', async () => {
    const entries = [
      { ...aFolder('d'), mode: 0o750 },
      { ...aFile('d/run.sh', 5), mode: 0o4755 },
      { ...aFolder('d/empty'), mode: 0o2500 },
      { ...aFile('note', 0), mode: 0o400 },
    ];
    const into = join(scratchFolder(), 'made', 'for', 'it');
    const { receiving } = await begin(entries, into, memoryStore(), kind);
    expect(await send(receiving, { 1: 'hello', 3: '' })).toEqual([
      { name: 'd/run.sh', path: join(into, 'd/run.sh'), bytes: 5, sha256: sha256('hello') },
      { name: 'note', path: join(into, 'note'), bytes: 0, sha256: sha256('') },
    ]);
    expect(receiving.finished).toBe(true);
    await receiving.complete();
    expect(survey(into)).toEqual({
      'd/': '',
      'd/empty/': '',
      'd/run.sh': sha256('hello'),
      note: sha256(''),
    });
    const modes = ['d', 'd/run.sh', 'd/empty', 'note'].map((path) => statSync(join(into, path)).mode & 0o7777);
    expect(modes).toEqual([0o750, 0o755, 0o700, 0o600]);
    for (const path of ['d', 'd/run.sh', 'd/empty', 'note']) {
      expect(Math.floor(statSync(join(into, path)).mtimeMs)).toBe(MTIME_MS);
    }
  });

  it('overwrites nothing: taken names get numbers, of folders once and for all that is in them', async () => {
    const base = scratchFolder();
    plant(base, { 'a.txt': 'mine', 'a (1).txt': 'mine too', 'd/f': 'mine', 'd (1)': 'a file', 'e/': '' });
    symlinkSync('/nowhere', join(base, 'dangling'));
    const before = survey(base);
    const entries = [
      aFile('a.txt', 5),
      aFolder('d'),
      aFile('d/f', 5),
      aFolder('d/s'),
      aFile('d/s/g', 1),
      aFolder('e'),
      aFile('dangling', 1),
    ];
    const { receiving } = await begin(entries, base, memoryStore(), kind);
    const received = await send(receiving, { 0: 'yours', 2: 'yours', 4: 'g', 6: 'x' });
    await receiving.complete();
    expect(received.map(({ name, path }) => [name, path])).toEqual([
      ['a.txt', join(base, 'a (2).txt')],
      ['d/f', join(base, 'd (2)/f')],
      ['d/s/g', join(base, 'd (2)/s/g')],
      ['dangling', join(base, 'dangling (1)')],
    ]);
    expect(survey(base)).toEqual({
      ...before,
      'a (2).txt': sha256('yours'),
      'd (2)/': '',
      'd (2)/f': sha256('yours'),
      'd (2)/s/': '',
      'd (2)/s/g': sha256('g'),
      'e (1)/': '',
      'dangling (1)': sha256('x'),
    });
  });

  it('goes on in the folder whose name it had to change', async () => {
    const base = scratchFolder();
    plant(base, { 'd/mine': '' });
    const entries = [aFolder('d'), aFile('d/a', 1), aFile('d/b', 1)];
    const store = memoryStore();
    const first = await begin(entries, base, store, kind);
    await send(first.receiving, { 1: 'a' });
    await first.receiving.suspend();
    const second = await begin(entries, base, store, kind);
    expect(await second.receiving.want()).toEqual({ entry: 2, checkpoints: [] });
    await send(second.receiving, { 2: 'b' });
    expect(Object.keys(survey(base)).sort()).toEqual(['d (1)/', 'd (1)/a', 'd (1)/b', 'd/', 'd/mine']);
  });

  it('writes nothing outside of its folder through symlinks planted between offer and write', async () => {
    const base = scratchFolder();
    plant(base, { 'outside/keep': 'safe', 'into/': '' });
    const into = join(base, 'into');
    const { receiving } = await begin(
      [aFolder('d'), aFolder('d/s'), aFile('d/s/evil', 4), aFile('keep', 4)],
      into,
      memoryStore(),
      kind,
    );
    symlinkSync(join(base, 'outside'), join(into, 'd'));
    symlinkSync(join(base, 'outside/keep'), join(into, 'keep'));
    await send(receiving, { 2: 'evil', 3: 'evil' });
    await receiving.complete();
    expect(survey(join(base, 'outside'))).toEqual({ keep: sha256('safe') });
    expect(survey(into)).toEqual({
      d: 'symlink',
      'd (1)/': '',
      'd (1)/s/': '',
      'd (1)/s/evil': sha256('evil'),
      keep: 'symlink',
      'keep (1)': sha256('evil'),
    });
  });

  it('writes nothing outside when its own folders are swapped for symlinks on the way', async () => {
    const base = scratchFolder();
    plant(base, { 'outside/': '', 'into/': '' });
    const into = join(base, 'into');
    const { receiving } = await begin(
      [aFolder('d'), aFile('d/a', 1), aFolder('d/s'), aFile('d/s/b', 1), aFile('d/s/c', 1)],
      into,
      memoryStore(),
      kind,
    );
    await send(receiving, { 1: 'a' });
    renameSync(join(into, 'd'), join(base, 'away'));
    symlinkSync(join(base, 'outside'), join(into, 'd'));
    const result = await sendFile(receiving, 3, 'b').catch((error: unknown) => error);
    if (kind === 'held') expect(readFileSync(join(base, 'away/s/b'), 'utf8')).toBe('b');
    else expect(result).toBeInstanceOf(UserError);
    await expect(receiving.want()).rejects.toMatchObject({
      name: 'UserError',
      exitCode: ExitCode.transferIncomplete,
      message: expect.stringContaining('in the place of a folder of this transfer'),
    });
    expect(survey(join(base, 'outside'))).toEqual({});
    rmSync(join(into, 'd'));
    renameSync(join(base, 'away'), join(into, 'd'));
    await receiving.want();
  });

  it.runIf(process.platform !== 'win32')('puts nothing in place but the file that it wrote', async () => {
    const entries = [aFile('f', 4), aFile('g', 4)];
    const { receiving, into } = await begin(entries, undefined, undefined, kind);
    plant(into, { '../outside': 'secret' });
    await receiving.want();
    await receiving.resume(0, 0);
    await receiving.write(0, 0, Buffer.from('mine'));
    const temp = join(into, tempsIn(into)[0] ?? '');
    replace(temp, () => symlinkSync('../outside', temp));
    await expect(receiving.fileEnd(0, 4, digest('mine'))).rejects.toThrow(/something else put in its place/);
    expect(readdirSync(into).filter((name) => !name.startsWith('.'))).toEqual([]);

    await send(receiving, { 0: 'mine', 1: 'mine' });
    await receiving.complete();
    expect(survey(into)).toEqual({ f: sha256('mine'), g: sha256('mine') });
    expect(readFileSync(join(into, '../outside'), 'utf8')).toBe('secret');
  });

  it('makes harmless names of hostile ones', async () => {
    const base = scratchFolder();
    const into = join(base, 'into');
    const names = ['..\\..\\up', 'C:\\x', 'a:stream', 'con', 'end.', '.turbo-beep-x', '\u001b[2J', 'Same', 'sAME'];
    const { receiving } = await begin(
      names.map((name) => aFile(name, 1)),
      into,
      memoryStore(),
      kind,
    );
    const received = await send(receiving, Object.fromEntries(names.map((_, index) => [index, 'x'])));
    await receiving.complete();
    expect(received.map(({ name }) => name)).toEqual(names);
    expect(readdirSync(into).sort()).toEqual(
      ['.._.._up', 'C__x', 'a_stream', '_con', 'end_', '_.turbo-beep-x', '_[2J', 'Same', 'sAME (1)'].sort(),
    );
    expect(readdirSync(base)).toEqual(['into']);
  });

  it('keeps a partial file to its owner, under a hidden name that nobody can foresee', async () => {
    const { receiving, into } = await begin([{ ...aFile('f', 10), mode: 0o666 }], undefined, undefined, kind);
    const { entry } = await receiving.want();
    await receiving.resume(entry, 0);
    await receiving.write(0, 0, Buffer.from('12345'));
    const other = await begin([aFile('f', 10)], undefined, undefined, kind);
    await other.receiving.want();
    await other.receiving.resume(0, 0);
    await other.receiving.write(0, 0, Buffer.from('1'));
    expect(tempsIn(into)).toEqual([expect.stringMatching(/^\.turbo-beep-[0-9a-f]{32}$/)]);
    expect(tempsIn(into)).not.toEqual(tempsIn(other.into));
    expect(statSync(join(into, tempsIn(into)[0] ?? '')).mode & 0o7777).toBe(0o600);
  });

  it.skipIf(!openFiles.known)('holds little open on its way, and nothing once it has ended', async () => {
    const tree = [0, 1, 2, 3, 4].flatMap((n) => [
      aFolder(`${n}`),
      aFolder(`${n}/s`),
      aFile(`${n}/s/f`, 2),
      aFile(`${n}/t`, 2),
    ]);
    for (const end of ['complete', 'suspend', 'discard'] as const) {
      const { receiving, into } = await begin(tree, undefined, undefined, kind);
      await receiving.want();
      await receiving.resume(2, 0);
      for (const [index, { directory }] of tree.entries()) {
        if (directory) continue;
        await receiving.write(index, 0, Buffer.from('x'));
        // The chosen folder, the current one and the file.
        expect(openFiles.below(into).length).toBeLessThanOrEqual(3);
        if (index === 18 && end !== 'complete') break;
        await receiving.write(index, 1, Buffer.from('x'));
        await receiving.fileEnd(index, 2, digest('xx'));
      }
      await receiving[end]();
      expect(openFiles.below(into)).toEqual([]);
    }
  });

  it('discards its temporary file and the folders that hold nothing, and keeps finished files', async () => {
    const base = scratchFolder();
    plant(base, { 'mine/': '' });
    const entries = [
      aFolder('d'),
      aFile('d/done', 1),
      aFolder('d/empty'),
      aFolder('only'),
      aFolder('only/deep'),
      aFile('only/deep/f', 9),
    ];
    const { receiving } = await begin(entries, base, memoryStore(), kind);
    await send(receiving, { 1: 'x' });
    await receiving.write(5, 0, Buffer.from('half'));
    expect(tempsIn(join(base, 'only/deep')).length).toBe(1);
    await receiving.discard();
    expect(survey(base)).toEqual({ 'd/': '', 'd/done': sha256('x'), 'mine/': '' });
  });
});

describe('a file that the sender leaves out', () => {
  const entries = [aFolder('d'), aFile('d/a', 4), aFile('d/b', 4), aFile('d/c', 4)];

  it('is not there, nor what had come of it, and all others are', async () => {
    const { receiving, into } = await begin(entries);
    await receiving.want();
    await receiving.resume(1, 0);
    await sendFile(receiving, 1, 'aaaa');
    await receiving.write(2, 0, Buffer.from('bb'));
    await receiving.skip(2);
    expect(receiving.bytesInPlace).toBe(8);
    await sendFile(receiving, 3, 'cccc');
    expect(receiving.finished).toBe(true);
    expect(receiving.skipped).toBe(1);
    await receiving.complete();
    expect(survey(into)).toEqual({ 'd/': '', 'd/a': sha256('aaaa'), 'd/c': sha256('cccc') });
  });

  it('stays left out in the next run, if that is noted; else it is wanted again', async () => {
    const base = scratchFolder();
    const store = memoryStore();
    const first = await begin(entries, base, store);
    await first.receiving.want();
    await first.receiving.resume(1, 0);
    await first.receiving.skip(1);
    const killed = await begin(entries, base, { ...memoryStore(), json: store.json });
    expect(await killed.receiving.want()).toMatchObject({ entry: 1 });
    expect(killed.receiving.skipped).toBe(0);
    await first.receiving.suspend();
    const next = await begin(entries, base, store);
    expect(await next.receiving.want()).toMatchObject({ entry: 2 });
    expect(next.receiving.skipped).toBe(1);
  });
});

describe('what the sender may not do', () => {
  const entries = [aFolder('d'), aFile('d/a', 4), aFile('b', 2)];
  const misdeeds: [what: string, act: (receiving: Receiving) => Promise<unknown>][] = [
    ['send data without being asked', (r) => r.write(1, 0, Buffer.from('x'))],
    ['end a file without being asked', (r) => r.fileEnd(1, 4, digest('x'))],
    ['resume without being asked', (r) => r.resume(1, 0)],
    ['send data before resuming', (r) => r.want().then(() => r.write(1, 0, Buffer.from('x')))],
    ['resume twice', (r) => resumed(r).then(() => r.resume(1, 0))],
    ['resume another entry', (r) => r.want().then(() => r.resume(2, 0))],
    ['resume where there is no checkpoint', (r) => r.want().then(() => r.resume(1, 1))],
    ['send a folder', (r) => resumed(r).then(() => r.write(0, 0, Buffer.from('x')))],
    ['pass over a file', (r) => resumed(r).then(() => r.write(2, 0, Buffer.from('x')))],
    ['send an entry that is not there', (r) => resumed(r).then(() => r.write(3, 0, Buffer.from('x')))],
    ['leave a gap', (r) => resumed(r).then(() => r.write(1, 1, Buffer.from('x')))],
    ['go back', (r) => written(r).then(() => r.write(1, 0, Buffer.from('x')))],
    ['send nothing', (r) => resumed(r).then(() => r.write(1, 0, Buffer.alloc(0)))],
    ['send more than the manifest says', (r) => resumed(r).then(() => r.write(1, 0, Buffer.from('12345')))],
    ['send more after the end', (r) => written(r).then(() => r.write(1, 2, Buffer.from('345')))],
    ['end a file early', (r) => written(r).then(() => r.fileEnd(1, 4, digest('1234')))],
    ['end a file at another size', (r) => written(r).then(() => r.fileEnd(1, 2, digest('12')))],
    ['leave out another file than the next', (r) => resumed(r).then(() => r.skip(2))],
    ['leave out a folder', (r) => resumed(r).then(() => r.skip(0))],
    ['leave out a file without being asked', (r) => r.skip(1)],
    ['leave out a file that has come', (r) => finished(r).then(() => r.skip(1))],
    ['end a file twice', (r) => finished(r).then(() => r.fileEnd(1, 4, digest('1234')))],
  ];
  const resumed = (r: Receiving) => r.want().then(() => r.resume(1, 0));
  const written = (r: Receiving) => resumed(r).then(() => r.write(1, 0, Buffer.from('12')));
  const finished = (r: Receiving) => resumed(r).then(() => sendFile(r, 1, '1234'));

  it.each(misdeeds)('%s', async (_what, act) => {
    const { receiving, into } = await begin(entries);
    await expect(act(receiving)).rejects.toThrow(ProtocolError);
    // And nothing is spoilt by it.
    const { entry, checkpoints } = await receiving.want();
    await receiving.resume(entry, 0);
    expect(checkpoints.length).toBeLessThanOrEqual(1);
    if (entry === 1) await sendFile(receiving, 1, '1234');
    await sendFile(receiving, 2, 'bb');
    await receiving.complete();
    expect(survey(into)).toEqual({ b: sha256('bb'), 'd/': '', 'd/a': sha256('1234') });
  });

  it('have another content than announced: the partial file goes, and the file can be sent again', async () => {
    const { receiving, into } = await begin([aFile('f', 3)]);
    await receiving.want();
    await receiving.resume(0, 0);
    await receiving.write(0, 0, Buffer.from('bad'));
    const mismatch = receiving.fileEnd(0, 3, digest('yes'));
    await expect(mismatch).rejects.toThrow(DigestMismatchError);
    await expect(mismatch).rejects.toMatchObject({ entry: 'f' });
    expect(readdirSync(into)).toEqual([]);
    expect(await receiving.want()).toEqual({ entry: 0, checkpoints: [] });
    await receiving.resume(0, 0);
    await sendFile(receiving, 0, 'yes');
    expect(survey(into)).toEqual({ f: sha256('yes') });
  });
});

describe('going on', () => {
  const content = noise(3 * MIB + 10);
  const entries = [aFile('f', content.length)];

  async function interruptedAt(length: number) {
    const store = memoryStore();
    const { receiving, into } = await begin(entries, undefined, store);
    await receiving.want();
    await receiving.resume(0, 0);
    await receiving.write(0, 0, content.subarray(0, length));
    await receiving.suspend();
    return { store, into, temp: join(into, tempsIn(into)[0] ?? '') };
  }

  it('says within one run just where it stands', async () => {
    const { receiving } = await begin(entries);
    await receiving.want();
    await receiving.resume(0, 0);
    await receiving.write(0, 0, content.subarray(0, 2 * MIB));
    await receiving.write(0, 2 * MIB, content.subarray(2 * MIB, 2 * MIB + 1));
    const { checkpoints } = await receiving.want();
    expect(checkpoints).toEqual([{ length: 2 * MIB + 1, sha256: digest(content.subarray(0, 2 * MIB + 1)) }]);
    expect(receiving.bytesInPlace).toBe(2 * MIB + 1);
    await receiving.resume(0, 2 * MIB + 1);
    await receiving.write(0, 2 * MIB + 1, content.subarray(2 * MIB + 1));
    await receiving.fileEnd(0, content.length, digest(content));
  });

  it.each([
    ['no JSON', () => '{'],
    ['notes of another form', () => '{"secret":"x"}'],
    ['a name that leads elsewhere', (json: string) => json.replace('"placing":[]', PLACED_ELSEWHERE)],
  ])('is a sentence and not a guess if its notes were damaged into %s', async (_, damage) => {
    const { store, into } = await interruptedAt(5);
    store.json = damage(store.json);
    await expect(begin(entries, into, store)).rejects.toThrow(/notes .* are damaged/);
  });

  it('says after a restart what is there, by its content, at spaced checkpoints', async () => {
    const { store, into } = await interruptedAt(2 * MIB + 5);
    const { receiving } = await begin(entries, into, store);
    const { entry, checkpoints } = await receiving.want();
    expect(entry).toBe(0);
    expect(checkpoints).toEqual(
      [MIB, 2 * MIB, 2 * MIB + 5].map((length) => ({ length, sha256: digest(content.subarray(0, length)) })),
    );
    await receiving.resume(0, MIB);
    expect(receiving.bytesInPlace).toBe(MIB);
    await receiving.write(0, MIB, content.subarray(MIB));
    const { path } = await receiving.fileEnd(0, content.length, digest(content));
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('resumes at 0 although there is more', async () => {
    const { store, into } = await interruptedAt(2 * MIB);
    const { receiving } = await begin([aFile('f', content.length)], into, store);
    await receiving.want();
    await receiving.resume(0, 0);
    expect(statSync(join(into, tempsIn(into)[0] ?? '')).size).toBe(0);
    await sendFile(receiving, 0, content);
  });

  it('believes in nothing but the content of what was left', async () => {
    const { store, into, temp } = await interruptedAt(2 * MIB);
    const altered = Buffer.from(content.subarray(0, 2 * MIB));
    altered[MIB + 1] = 1 + (altered[MIB + 1] ?? 0);
    writeFileSync(temp, altered);
    const { receiving } = await begin(entries, into, store);
    const { checkpoints } = await receiving.want();
    expect(checkpoints.map(({ sha256: sum }) => sum.toString('hex'))).toEqual([
      sha256(content.subarray(0, MIB)),
      sha256(altered),
    ]);
  });

  it('reads again what somebody has changed since it was read', async () => {
    const { store, into, temp } = await interruptedAt(MIB + 5);
    const { receiving } = await begin(entries, into, store);
    expect((await receiving.want()).checkpoints).toHaveLength(2);
    const altered = noise(MIB + 5);
    writeFileSync(temp, altered);
    const { checkpoints } = await receiving.want();
    expect(checkpoints.at(-1)).toEqual({ length: altered.length, sha256: digest(altered) });
    rmSync(temp);
    expect(await receiving.want()).toEqual({ entry: 0, checkpoints: [] });
    await receiving.resume(0, 0);
    await sendFile(receiving, 0, content);
    expect(survey(into)).toEqual({ f: sha256(content) });
  });

  it.each<[what: string, change: (temp: string, base: string) => void]>([
    ['longer than the file', (temp) => truncateSync(temp, content.length + 1)],
    ['gone', (temp) => rmSync(temp)],
    ['a link to another file', (temp, base) => replace(temp, () => linkSync(join(base, 'mine'), temp))],
    ['a symlink to another file', (temp, base) => replace(temp, () => symlinkSync(join(base, 'mine'), temp))],
  ])('begins anew, and touches nothing else, when what was left is %s', async (_what, change) => {
    const { store, into, temp } = await interruptedAt(2 * MIB);
    writeFileSync(join(into, 'mine'), 'mine');
    change(temp, into);
    const { receiving } = await begin(entries, into, store);
    expect(await receiving.want()).toEqual({ entry: 0, checkpoints: [] });
    await receiving.resume(0, 0);
    await sendFile(receiving, 0, content);
    expect(survey(into)).toEqual({ f: sha256(content), mine: sha256('mine') });
    expect(lstatSync(join(into, 'f')).nlink).toBe(1);
  });

  describe('with a file whose name was announced, and which somebody then took away', () => {
    const two = [{ ...aFile('a', 5), mode: 0o640 }, aFile('b', 6)];

    /** All of it has come again, but for its end. */
    async function announcedAndCameAgain() {
      const base = join(scratchFolder(), 'into');
      const store = memoryStore();
      const save = store.save.bind(store);
      store.save = (json) => {
        save(json);
        if (json.includes('"announced"')) for (const temp of tempsIn(base)) rmSync(join(base, temp));
      };
      const { receiving, into } = await begin(two, base, store);
      await expect(send(receiving, { 0: 'first' })).rejects.toThrow('a file was taken away');
      expect(await receiving.want()).toEqual({ entry: 0, checkpoints: [] });
      store.save = save;
      await receiving.resume(0, 0);
      await receiving.write(0, 0, Buffer.from('first'));
      return { store, receiving, into };
    }

    async function finish(receiving: Receiving, into: string): Promise<void> {
      expect(await receiving.want()).toEqual({ entry: 0, checkpoints: [{ length: 5, sha256: digest('first') }] });
      await receiving.resume(0, 5);
      await receiving.fileEnd(0, 5, digest('first'));
      await sendFile(receiving, 1, 'second');
      expect(survey(into)).toEqual({ a: sha256('first'), b: sha256('second') });
      const { mode, mtimeMs } = statSync(join(into, 'a'));
      expect({ mode: mode & 0o777, mtimeMs: Math.floor(mtimeMs) }).toEqual({ mode: 0o640, mtimeMs: MTIME_MS });
    }

    it('puts it in place only at its end, and writes no other into it, when the link broke before', async () => {
      const { receiving, into } = await announcedAndCameAgain();
      await finish(receiving, into);
    });

    it('gives it its mode and time when the program was killed before its end', async () => {
      const { store, into } = await announcedAndCameAgain();
      const later = await begin(two, into, store);
      await finish(later.receiving, into);
    });
  });

  it('passes over notes of a name for what the manifest does not have', async () => {
    const store = memoryStore();
    const tree = [aFolder('d'), aFolder('d/e')];
    const first = await begin(tree, undefined, store);
    await first.receiving.suspend();
    const placing = [{ entry: 9, name: 'x', sha256: digest('x').toString('hex'), state: 'announced' }];
    store.json = JSON.stringify({ ...JSON.parse(store.json), next: 1, placing });
    const second = await begin(tree, first.into, store);
    expect(await second.receiving.want()).toEqual({ entry: 2, checkpoints: [] });
  });

  it('tells of a file that was put in place but perhaps never reported', async () => {
    const store = memoryStore();
    const two = [aFile('a', 1), aFile('b', 1)];
    const first = await begin(two, undefined, store);
    expect(first.receiving.recovered).toEqual([]);
    const [reported] = await send(first.receiving, { 0: 'a' });
    await first.receiving.suspend();
    const second = await begin(two, first.into, store);
    expect(second.receiving.recovered).toEqual([reported]);
    expect(second.receiving.bytesInPlace).toBe(1);
  });

  it('wants nothing more when all is in place, and can still be completed', async () => {
    const store = memoryStore();
    const tree = [aFolder('d'), aFile('d/f', 1), { ...aFolder('d/late'), mode: 0o711 }];
    const first = await begin(tree, undefined, store);
    await send(first.receiving, { 1: 'x' });
    await first.receiving.suspend();
    const second = await begin(tree, first.into, store);
    expect(second.receiving.finished).toBe(true);
    expect(await second.receiving.want()).toEqual({ entry: 3, checkpoints: [] });
    await second.receiving.complete();
    expect(statSync(join(first.into, 'd/late')).mode & 0o777).toBe(0o711);
  });

  it('needs no bytes at all for folders alone', async () => {
    const { receiving, into } = await begin([aFolder('d'), aFolder('d/e')]);
    expect(receiving.finished).toBe(true);
    expect(await receiving.want()).toEqual({ entry: 2, checkpoints: [] });
    await receiving.complete();
    expect(survey(into)).toEqual({ 'd/': '', 'd/e/': '' });
  });

  it('makes its folders again when the person took them away', async () => {
    const { receiving, into } = await begin([aFolder('d'), aFile('d/a', 1), aFile('d/b', 1)]);
    await send(receiving, { 1: 'a' });
    rmSync(into, { recursive: true });
    await expect(sendFile(receiving, 2, 'b')).rejects.toMatchObject({ exitCode: ExitCode.transferIncomplete });
    expect((await receiving.want()).entry).toBe(2);
    await receiving.resume(2, 0);
    await sendFile(receiving, 2, 'b');
    await receiving.complete();
    expect(survey(into)).toEqual({ 'd/': '', 'd/b': sha256('b') });
  });

  it('is done in turn, however it is called', async () => {
    const { receiving, into } = await begin([aFile('f', 4)]);
    const all = [
      receiving.want(),
      receiving.resume(0, 0),
      receiving.write(0, 0, Buffer.from('12')),
      receiving.write(0, 2, Buffer.from('34')),
      receiving.fileEnd(0, 4, digest('1234')),
      receiving.complete(),
    ];
    await Promise.all(all);
    expect(survey(into)).toEqual({ f: sha256('1234') });
  });

  it('saves its notes not more than once for each small file', async () => {
    const store = memoryStore();
    const many = Array.from({ length: 100 }, (_, n) => aFile(String(n), 1));
    const { receiving } = await begin(many, undefined, store);
    await send(receiving, Object.fromEntries(many.map((_, n) => [n, 'x'])));
    await receiving.complete();
    expect(store.saves).toBeLessThanOrEqual(many.length + 3);
  });

  it('has ended after suspend(), which may come again and in the middle of reading', async () => {
    const { store, into } = await interruptedAt(3 * MIB);
    const { receiving } = await begin(entries, into, store);
    const wanting = receiving.want();
    const outcome = expect(wanting).rejects.toThrow('suspended');
    await receiving.suspend();
    await outcome;
    await receiving.suspend();
    await expect(receiving.want()).rejects.toThrow('ended');
  });
});

describe('what the disk will not do', () => {
  it.skipIf(!smallDisk.possible)(
    'a full disk ends in an error that says so, and the transfer goes on (needs root to mount)',
    async () => {
      const disk = smallDisk.mount(3 * MIB);
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(2 * MIB));
      const content = noise(2 * MIB);
      const store = memoryStore();
      const { receiving } = await begin([aFile('f', content.length)], disk, store);
      await receiving.want();
      await receiving.resume(0, 0);
      const writing = async () => {
        for (let at = 0; at < content.length; at += 65_536) {
          await receiving.write(0, at, content.subarray(at, at + 65_536));
        }
      };
      await expect(writing()).rejects.toMatchObject({
        name: 'UserError',
        exitCode: ExitCode.transferIncomplete,
        message: `"${disk}" is on a disk that is full`,
        hint: expect.stringContaining('Free some space; the transfer then goes on'),
      });
      rmSync(join(disk, 'ballast'));
      const { checkpoints } = await receiving.want();
      const held = checkpoints.at(-1)?.length ?? 0;
      expect(held).toBeGreaterThan(MIB / 2);
      await receiving.resume(0, held);
      await receiving.write(0, held, content.subarray(held));
      await receiving.fileEnd(0, content.length, digest(content));
      expect(survey(disk)).toEqual({ f: sha256(content) });
    },
  );

  it.skipIf(!asNobody.possible)('a folder that may not be written to is named', async () => {
    const base = scratchFolder();
    chmodSync(base, 0o755);
    mkdirSync(join(base, 'into'), { mode: 0o555 });
    await asNobody.run(async () => {
      const receiving = await openReceiving([aFile('f', 1)], join(base, 'into'));
      await receiving.want();
      await receiving.resume(0, 0);
      await expect(receiving.write(0, 0, Buffer.from('x'))).rejects.toMatchObject({
        exitCode: ExitCode.transferIncomplete,
        message: expect.stringContaining('permission denied'),
      });
      await receiving.suspend();
    });
  });

  it('a file where the folder should be is named', async () => {
    const base = scratchFolder();
    plant(base, { file: '' });
    await expect(openReceiving([aFile('f', 1)], join(base, 'file'))).rejects.toMatchObject({
      name: 'UserError',
      message: `"${base}/file" is not a folder`,
    });
  });
});
