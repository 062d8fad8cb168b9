import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
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
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeData } from '../../src/protocol/data-frames.js';
import type { ItemBody, ManifestEntry } from '../../src/protocol/messages.js';
import { sha256, survey } from '../peer/files/helpers/tree.js';
import { HostilePeer, HostileStage } from '../support/hostile-peer.js';
import { type RunningProgram, stopAll } from '../support/program.js';

/** What other programs of this kind got wrong with files, tried on the real one by a peer who has the right key. */

let stage: HostileStage;
let victim: RunningProgram;
let peer: HostilePeer;
let tests = 0;
/** A folder for each test; what is received goes into the one inside of it, and nothing else may change. */
let outer: string;
let into: string;

beforeAll(async () => {
  stage = new HostileStage('server');
  await stage.pair.startMediator();
  victim = await stage.startVictim();
});
afterAll(async () => {
  await stopAll();
  stage.pair.remove();
});
beforeEach(async () => {
  tests += 1;
  outer = stage.pair.path(`outer${tests}`);
  into = join(outer, 'into');
  mkdirSync(into, { recursive: true });
  peer = await HostilePeer.join(stage);
});
afterEach(() => peer.close());

interface Thing {
  path: string;
  /** null: a folder. */
  content: string | null;
  mode?: number;
}

const file = (path: string, content = `content of ${path}`, mode = 0o644): Thing => ({ path, content, mode });
const folder = (path: string): Thing => ({ path, content: null, mode: 0o755 });

function entryOf({ path, content, mode = 0o644 }: Thing): ManifestEntry {
  return { path, directory: content === null, size: Buffer.byteLength(content ?? ''), mode, mtimeMs: 0 };
}

async function offer(things: Thing[]): Promise<string> {
  const transfer = randomBytes(16).toString('hex');
  const entries = things.map(entryOf);
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  const part: ItemBody = { kind: 'manifestPart', transfer, entries };
  peer.send(...peer.items(part, { kind: 'offer', transfer, entries: entries.length, bytes }));
  await victim.next((event) => event.event === 'offer' && event.transfer === transfer);
  return transfer;
}

/** Accepts as the person does. Resolves to the stream that the files are wanted on. */
async function accept(transfer: string): Promise<number> {
  victim.send({ command: 'accept', transfer, into });
  const want = await peer.next('want', (each) => each.transfer === transfer);
  peer.send({ kind: 'resume', stream: want.stream, entry: want.entry, offset: 0 });
  return want.stream;
}

function sendContent(stream: number, entry: number, content: string, offset = 0): Promise<void> {
  const bytes = Buffer.from(content);
  return peer.write(encodeData(stream, entry, offset, bytes));
}

async function sendFile(stream: number, entry: number, content: string, truth = content): Promise<void> {
  if (content !== '') await sendContent(stream, entry, content);
  const digest = createHash('sha256').update(truth).digest();
  peer.send({ kind: 'fileEnd', stream, entry, size: Buffer.byteLength(content), sha256: digest });
}

async function sendAll(stream: number, things: Thing[], from = 0): Promise<void> {
  for (const [index, { content }] of things.entries()) {
    if (content !== null && index >= from) await sendFile(stream, index, content);
  }
}

function transferred(transfer: string): Promise<unknown> {
  return victim.next((event) => event.event === 'transferred' && event.transfer === transfer);
}

async function receive(things: Thing[]): Promise<void> {
  const transfer = await offer(things);
  await sendAll(await accept(transfer), things);
  await transferred(transfer);
}

function trouble(transfer: string): Promise<unknown> {
  return victim.next((event) => event.event === 'error' && event.transfer === transfer);
}

const temporaries = () => readdirSync(into).filter((name) => name.startsWith('.turbo-beep-'));

describe('a received name', () => {
  const harmless: [what: string, names: string[]][] = [
    ['with backslashes', ['..\\..\\up', 'a\\b', '\\\\host\\share', '\\up']],
    ['with a drive or an alternate stream', ['C:\\up', 'C:up', 'a:stream', 'a::$DATA', 'file:up']],
    ['of a Windows device', ['con', 'CON.txt', 'Aux', 'nul.', 'COM1', 'com¹.log', 'lpt9.tar.gz', 'conin$', 'nul .txt']],
    ['with dots or blanks at its end', ['a.', 'a..', 'a ', 'a', '. . ', '...', ' ']],
    ['of what this program keeps there itself', ['.turbo-beep-0', '.TURBO-BEEP-1', '.turbo-beep-']],
    ['that a terminal would obey', ['\u001b]0;up\u0007', '\u009b2J', '\u202egpj.exe', 'a\nb', '\u200b', '\ufeff']],
    ['longer than any disk takes', ['x'.repeat(300), `${'漢'.repeat(200)}.tar.gz`, `${'👩‍👩‍👧'.repeat(40)}`]],
    ['that a shell would expand', ['~', '$HOME', '%2e%2e%2fup', '-rf', '*', '`id`', '|id', '&']],
  ];

  it.each(harmless)('%s is one harmless name inside the folder, of a file and of a folder', async (_, names) => {
    const folders = names.flatMap((name) => [folder(`f${name}`), file(`f${name}/${name}`)]);
    await receive([...names.map((name) => file(name)), ...folders]);
    expect(readdirSync(outer)).toEqual(['into']);
    const made = readdirSync(into);
    expect(made).toHaveLength(2 * names.length);
    for (const name of made) {
      expect(name).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b\u202a-\u202e\ufeff\\:]|^\.turbo-beep-|[. ]$/iu);
      expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d|conin\$) *(\.|$)/i);
      const kind = lstatSync(join(into, name));
      expect(kind.isFile() || kind.isDirectory()).toBe(true);
      if (kind.isDirectory()) expect(readdirSync(join(into, name))).toHaveLength(1);
    }
  });

  it('that differs by case or Unicode form alone from another is another file, wherever it lands', async () => {
    const names = ['Ä.txt', 'ä.txt', 'A\u0308.txt', 'a\u0308.TXT', 'README', 'readme', 'ReadMe', '\u212a', 'k', 'K'];
    const things = [...names.map((name) => file(name)), folder('d'), folder('D'), file('d/x'), file('D/x', 'other')];
    await receive(things);
    const found = survey(into);
    const folded = Object.keys(found).map((name) => name.normalize('NFC').toLowerCase());
    expect(new Set(folded).size).toBe(folded.length);
    const contents = Object.values(found).filter((digest) => digest !== '');
    expect(contents.sort()).toEqual(
      things.flatMap(({ content }) => (content === null ? [] : [sha256(content)])).sort(),
    );
  });

  it('never becomes a link, whatever its mode says, and nothing is written through it', async () => {
    writeFileSync(join(outer, 'precious'), 'precious');
    await receive([file('link', '../precious', 0o120777), file('device', '', 0o060666)]);
    await receive([file('link', 'over it', 0o120777)]);
    for (const name of readdirSync(into)) expect(lstatSync(join(into, name)).isFile()).toBe(true);
    expect(readFileSync(join(into, 'link'), 'utf8')).toBe('../precious');
    expect(readFileSync(join(outer, 'precious'), 'utf8')).toBe('precious');
    const transfer = randomBytes(16).toString('hex');
    const entries = [file('l', '../precious', 0o120777), file('l/x')].map(entryOf);
    peer.send(
      ...peer.items({ kind: 'manifestPart', transfer, entries }, { kind: 'offer', transfer, entries: 2, bytes: 0 }),
    );
    await peer.next('item', ({ body }) => body.kind === 'decline' && body.transfer === transfer);
  });
});

describe.skipIf(process.platform === 'win32')('what lies in the folder', () => {
  it('when an offer is accepted is neither followed nor changed: links, pipes, folders', async () => {
    const things = ['file', 'dangling', 'pipe', 'hard', 'taken'].map((name) => file(name));
    things.push(folder('d'), file('d/x'), folder('e'), folder('e/s'), file('e/s/y'));
    const transfer = await offer(things);
    writeFileSync(join(outer, 'precious'), 'precious');
    mkdirSync(join(outer, 'elsewhere'));
    symlinkSync('../precious', join(into, 'file'));
    symlinkSync('../made', join(into, 'dangling'));
    symlinkSync('../elsewhere', join(into, 'd'));
    symlinkSync('/proc/self/cwd', join(into, 'e'));
    linkSync(join(outer, 'precious'), join(into, 'hard'));
    execFileSync('mkfifo', [join(into, 'pipe')]);
    mkdirSync(join(into, 'taken'));
    await sendAll(await accept(transfer), things);
    await transferred(transfer);
    expect(readdirSync(outer).sort()).toEqual(['elsewhere', 'into', 'precious']);
    expect(readdirSync(join(outer, 'elsewhere'))).toEqual([]);
    expect(readdirSync(join(into, 'taken'))).toEqual([]);
    expect(readFileSync(join(outer, 'precious'), 'utf8')).toBe('precious');
    expect(lstatSync(join(into, 'pipe')).isFIFO()).toBe(true);
    for (const name of ['file (1)', 'dangling (1)', 'pipe (1)', 'hard (1)', 'taken (1)', 'd (1)/x', 'e (1)/s/y']) {
      expect(lstatSync(join(into, name)).isFile(), name).toBe(true);
    }
  });

  it('and is swapped for a link in the middle of a transfer leads nowhere', async () => {
    const things = [folder('d'), file('d/a'), folder('d/s'), file('d/s/b'), file('d/c'), file('last')];
    const transfer = await offer(things);
    const stream = await accept(transfer);
    mkdirSync(join(outer, 'elsewhere'));
    await sendFile(stream, 1, things[1]?.content ?? '');
    await victim.next((event) => event.event === 'file' && event.transfer === transfer);
    renameSync(join(into, 'd'), join(outer, 'moved'));
    symlinkSync('../elsewhere', join(into, 'd'));
    symlinkSync('../elsewhere', join(outer, 'moved', 's'));
    await sendAll(stream, things, 2);
    await trouble(transfer);
    expect(readdirSync(join(outer, 'elsewhere'))).toEqual([]);
    rmSync(join(outer, 'moved', 's'));
    rmSync(join(into, 'd'));
    renameSync(join(outer, 'moved'), join(into, 'd'));
    peer.close();
    peer = await HostilePeer.join(stage, { firstSequence: 1 });
    expect(readdirSync(outer).sort()).toEqual(['elsewhere', 'into']);
    victim.send({ command: 'cancel', transfer });
  });

  it('and takes the temporary file’s place is not taken for what was received', async () => {
    for (const plant of [
      (temporary: string) => symlinkSync('../precious', temporary),
      (temporary: string) => execFileSync('mkfifo', [temporary]),
      (temporary: string) => mkdirSync(temporary),
    ]) {
      writeFileSync(join(outer, 'precious'), 'precious');
      const transfer = await offer([file('f', 'received')]);
      const stream = await accept(transfer);
      await sendContent(stream, 0, 'rece');
      await expect.poll(() => temporaries().length, { timeout: 10_000 }).toBe(1);
      const temporary = join(into, temporaries()[0] ?? '');
      rmSync(temporary);
      plant(temporary);
      await sendContent(stream, 0, 'ived', 4);
      peer.send({ kind: 'fileEnd', stream, entry: 0, size: 8, sha256: Buffer.from(sha256('received'), 'hex') });
      await trouble(transfer);
      expect(readdirSync(into)).toEqual(temporaries());
      expect(readFileSync(join(outer, 'precious'), 'utf8')).toBe('precious');
      victim.send({ command: 'cancel', transfer });
      await victim.next((event) => event.event === 'cancelled' && event.transfer === transfer);
      rmSync(temporary, { recursive: true, force: true });
    }
  });
});

describe('the file that was there before', () => {
  it('stays whole when the new one does not come through, and when it does', async () => {
    writeFileSync(join(into, 'report'), 'the old one');
    const transfer = await offer([file('report', 'the new one')]);
    const stream = await accept(transfer);
    await sendContent(stream, 0, 'the ne');
    expect(readFileSync(join(into, 'report'), 'utf8')).toBe('the old one');
    await sendContent(stream, 0, 'w one', 6);
    peer.send({ kind: 'fileEnd', stream, entry: 0, size: 11, sha256: Buffer.alloc(32) });
    const again = await peer.next('want', (each) => each.transfer === transfer);
    expect(again).toMatchObject({ entry: 0, checkpoints: [] });
    expect(readFileSync(join(into, 'report'), 'utf8')).toBe('the old one');
    peer.send({ kind: 'resume', stream: again.stream, entry: 0, offset: 0 });
    await sendFile(again.stream, 0, 'the new one');
    await transferred(transfer);
    expect(survey(into)).toEqual({ report: sha256('the old one'), 'report (1)': sha256('the new one') });
  });
});

describe('what was received', () => {
  it('lies there as it came: nothing is unpacked, opened or run, and no mode makes it privileged', async () => {
    const zip = 'PK\u0005\u0006'.padEnd(22, '\0');
    const script = `#!/bin/sh\ntouch '${join(outer, 'ran')}'\n`;
    const things = [
      file('archive.zip', zip, 0o6777),
      file('run.sh', script, 0o7777),
      file('.bashrc', script, 0o777),
      file('autorun.inf', '[autorun]\nopen=run.sh\n'),
      file('run.desktop', `[Desktop Entry]\nExec=${join(into, 'run.sh')}\n`, 0o777),
    ];
    await receive(things);
    expect(survey(into)).toEqual(Object.fromEntries(things.map(({ path, content }) => [path, sha256(content ?? '')])));
    for (const name of readdirSync(into)) expect(statSync(join(into, name)).mode & 0o7000).toBe(0);
    expect(existsSync(join(outer, 'ran'))).toBe(false);
    if (process.platform !== 'linux') return;
    const children = readdirSync(`/proc/${victim.pid}/task`).map((task) =>
      readFileSync(`/proc/${victim.pid}/task/${task}/children`, 'utf8').trim(),
    );
    expect(children.join('')).toBe('');
  });
});
