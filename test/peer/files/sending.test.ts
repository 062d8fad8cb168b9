import {
  appendFileSync,
  chmodSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SourceChangedError } from '../../../src/peer/files/file-errors.js';
import { readManifest } from '../../../src/peer/files/manifest.js';
import type { Sending } from '../../../src/peer/files/sending.js';
import type { Wanted } from '../../../src/peer/files/source-stream.js';
import { wholeFilesIn } from '../../../src/peer/files/whole-files.js';
import { DATA_CHUNK_BYTES } from '../../../src/protocol/constants.js';
import { DATA_HEAD_BYTES } from '../../../src/protocol/data-frames.js';
import { ProtocolError, UserError } from '../../../src/protocol/errors.js';
import type { Checkpoint } from '../../../src/protocol/messages.js';
import { asNobody } from './helpers/nobody.js';
import { openFiles } from './helpers/open-files.js';
import { openSending, reader } from './helpers/open-sending.js';
import { type OwnPiece, own, ownPieces } from './helpers/pieces.js';
import { never, scratchFolder } from './helpers/scratch.js';
import { noise, plant, sha256 } from './helpers/tree.js';

const MIB = 1024 * 1024;
const FROM_THE_START = { entry: 0, checkpoints: [] };

async function offer(base: string, ...names: string[]): Promise<Sending> {
  const { entries, sources } = await readManifest(
    names.map((name) => join(base, name)),
    reader,
    never,
  );
  return openSending({ entries, sources });
}

async function collect(pieces: AsyncIterable<OwnPiece>): Promise<OwnPiece[]> {
  const all: OwnPiece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

function outline(pieces: OwnPiece[]): string[] {
  return pieces.map((piece) => {
    if (piece.kind === 'resume') return `resume ${piece.entry} at ${piece.offset}`;
    if (piece.kind === 'data') return `data ${piece.entry} ${piece.offset}+${piece.bytes.length}`;
    if (piece.kind === 'skip') return `skip ${piece.entry}`;
    return `end ${piece.entry} ${piece.size}`;
  });
}

function whyOf(pieces: OwnPiece[]): Error | undefined {
  return pieces.find((piece) => piece.kind === 'skip')?.why;
}

function checkpoint(content: Buffer, length: number): Checkpoint {
  return { length, sha256: Buffer.from(sha256(content.subarray(0, length)), 'hex') };
}

/** The files in the pieces, in their order: of each its entry, and whether its content and digest are those of `contents`. */
async function filesIn(sending: Sending, wanted: Wanted, contents: ReadonlyMap<string, Buffer>) {
  const files: [entry: number, how: string][] = [];
  for await (const pieces of sending.pieces(wanted, never, true)) {
    for (const piece of pieces) {
      if (piece.kind === 'fileEnd') files.push([piece.entry, 'alone']);
      if (piece.kind !== 'wholeFiles') continue;
      const bytes = piece.frame.subarray(DATA_HEAD_BYTES);
      for (const { entry, at, size } of wholeFilesIn(sending.entries, piece.entry, bytes.length)) {
        const content = bytes.subarray(at, at + size);
        const isRight = contents.get(sending.entries[entry]?.path ?? '')?.equals(content) ?? false;
        const digest = bytes.toString('hex', at + size, at + size + 32);
        files.push([entry, isRight && digest === sha256(content) ? 'together' : 'wrong']);
      }
    }
  }
  return files;
}

async function outlineTogether(sending: Sending, wanted: Wanted): Promise<string[]> {
  const all: string[] = [];
  for await (const pieces of sending.pieces(wanted, never, true)) {
    for (const piece of pieces) {
      const bytes = piece.kind === 'wholeFiles' ? piece.frame.length - DATA_HEAD_BYTES : 0;
      all.push(piece.kind === 'wholeFiles' ? `files ${piece.entry}+${bytes}` : piece.kind);
    }
  }
  return all;
}

describe('small files', () => {
  const sizes = [0, 5, 4096, 32 * 1024, 32 * 1024 + 1, 3];
  /** More than any turn or slot takes, in folders of 50. */
  const contents = new Map(
    Array.from({ length: 1500 }, (_, n) => {
      const name = `d/${String(Math.floor(n / 50)).padStart(2, '0')}/${String(n).padStart(4, '0')}`;
      return [name, noise(sizes[n % sizes.length] ?? 0, n + 1)] as const;
    }),
  );

  it('go many in a piece, each once, in their order and with its digest; long ones go alone', async () => {
    const base = scratchFolder();
    plant(base, Object.fromEntries(contents));
    const sending = await offer(base, 'd');
    const wanted = sending.entries.flatMap(({ directory, size }, entry) =>
      directory ? [] : [[entry, size > 32 * 1024 ? 'alone' : 'together']],
    );
    expect(await filesIn(sending, FROM_THE_START, contents)).toEqual(wanted);
    const later = { entry: 700, checkpoints: [] };
    expect(await filesIn(sending, later, contents)).toEqual(wanted.filter(([entry]) => Number(entry) >= 700));
  });

  it('of which the receiver has a part go on from there, alone', async () => {
    const base = scratchFolder();
    plant(base, { 'd/a': 'alpha', 'd/b': 'beta' });
    const sending = await offer(base, 'd');
    const wanted = { entry: 1, checkpoints: [checkpoint(Buffer.from('alpha'), 3)] };
    expect(await outlineTogether(sending, wanted)).toEqual(['resume', 'data', 'fileEnd', 'files 2+36']);
  });

  it('that were changed since the offer are passed over, wherever they are', async () => {
    const base = scratchFolder();
    plant(base, { 'd/a': 'alpha', 'd/b': 'beta', 'd/c': 'gamma', 'd/d': 'delta' });
    const sending = await offer(base, 'd');
    appendFileSync(join(base, 'd/b'), 'x');
    rmSync(join(base, 'd/d'));
    expect(await outlineTogether(sending, FROM_THE_START)).toEqual([
      'resume',
      'files 1+37',
      'skip',
      'files 3+37',
      'skip',
    ]);
    expect(await outlineTogether(sending, { entry: 2, checkpoints: [] })).toEqual([
      'resume',
      'skip',
      'files 3+37',
      'skip',
    ]);
  });
});

describe('a stream of pieces', () => {
  it('carries file after file to the end of the manifest, folders and empty files by their place alone', async () => {
    const base = scratchFolder();
    const big = noise(2 * DATA_CHUNK_BYTES + 5);
    plant(base, { 'd/a': 'alpha', 'd/e/': '', 'd/nothing': '', 'z.bin': big });
    const pieces = await collect(ownPieces(await offer(base, 'd', 'z.bin'), FROM_THE_START, never));
    expect(outline(pieces)).toEqual([
      'resume 0 at 0',
      'data 1 0+5',
      'end 1 5',
      'end 3 0',
      `data 4 0+${DATA_CHUNK_BYTES}`,
      `data 4 ${DATA_CHUNK_BYTES}+${DATA_CHUNK_BYTES}`,
      `data 4 ${2 * DATA_CHUNK_BYTES}+5`,
      `end 4 ${big.length}`,
    ]);
    const data = pieces.flatMap((piece) => (piece.kind === 'data' && piece.entry === 4 ? [piece.bytes] : []));
    expect(Buffer.concat(data).equals(big)).toBe(true);
    const digests = pieces.flatMap((piece) => (piece.kind === 'fileEnd' ? [piece.sha256.toString('hex')] : []));
    expect(digests).toEqual([sha256('alpha'), sha256(''), sha256(big)]);
  });

  it('cuts at the chunk size and nowhere else', async () => {
    for (const length of [DATA_CHUNK_BYTES - 1, DATA_CHUNK_BYTES, DATA_CHUNK_BYTES + 1]) {
      const base = scratchFolder();
      plant(base, { f: noise(length) });
      const pieces = await collect(ownPieces(await offer(base, 'f'), FROM_THE_START, never));
      const lengths = pieces.flatMap((piece) => (piece.kind === 'data' ? [piece.bytes.length] : []));
      expect(lengths).toEqual(length > DATA_CHUNK_BYTES ? [DATA_CHUNK_BYTES, 1] : [length]);
    }
  });

  it('is empty when nothing is missing', async () => {
    const base = scratchFolder();
    plant(base, { f: 'x' });
    expect(await collect(ownPieces(await offer(base, 'f'), { entry: 1, checkpoints: [] }, never))).toEqual([]);
  });

  it.skipIf(!openFiles.known)('holds one file open, and none once it was left or ended', async () => {
    const base = scratchFolder();
    plant(base, { a: noise(3 * MIB), b: 'x' });
    const sending = await offer(base, 'a', 'b');
    for await (const piece of ownPieces(sending, FROM_THE_START, never)) {
      if (piece.kind === 'data' && piece.offset === MIB) break;
      expect(openFiles.below(base).length).toBeLessThanOrEqual(1);
    }
    expect(openFiles.below(base)).toEqual([]);
    await collect(ownPieces(sending, FROM_THE_START, never));
    expect(openFiles.below(base)).toEqual([]);
  });

  it.skipIf(!openFiles.known)('is ended by its signal, and by close()', async () => {
    const base = scratchFolder();
    plant(base, { a: noise(9 * MIB) });
    const sending = await offer(base, 'a');
    const stopping = new AbortController();
    const stopped = (async () => {
      for await (const _ of ownPieces(sending, FROM_THE_START, stopping.signal)) stopping.abort(new Error('enough'));
    })();
    await expect(stopped).rejects.toThrow('enough');
    const left = ownPieces(sending, FROM_THE_START, never);
    await left.next();
    await left.next();
    expect(openFiles.below(base)).toEqual([join(base, 'a')]);
    await sending.close();
    expect(openFiles.below(base)).toEqual([]);
    await expect(collect(left)).rejects.toThrow('sending has ended');
    await expect(collect(ownPieces(sending, FROM_THE_START, never))).rejects.toThrow('sending has ended');
  });
});

describe('the memory of pieces', () => {
  it('stays as it is until the next ones are asked for, however long that takes', async () => {
    const base = scratchFolder();
    const content = noise(7 * MIB + 11);
    plant(base, { f: content, small: 'x' });
    const sending = await offer(base, 'f');
    const other = await offer(base, 'small');
    let end = 0;
    for await (const pieces of sending.pieces(FROM_THE_START, never)) {
      // The thread has by now done all that it was asked for before.
      await collect(ownPieces(other, FROM_THE_START, never));
      for (const piece of pieces.map(own)) {
        if (piece.kind !== 'data') continue;
        expect(piece.offset).toBe(end);
        end += piece.bytes.length;
        expect(piece.bytes.equals(content.subarray(piece.offset, end))).toBe(true);
      }
    }
    expect(end).toBe(content.length);
  });
});

describe('several at once', () => {
  it('are all served, and nobody waits for one that is not read on', async () => {
    const base = scratchFolder();
    const names = Array.from({ length: 12 }, (_, n) => `f${n}`);
    const contents = names.map((_, n) => noise(MIB + n * 300_000, n + 1));
    plant(base, Object.fromEntries(names.map((name, n) => [name, contents[n] ?? ''])));
    const left = ownPieces(await offer(base, 'f11'), FROM_THE_START, never);
    await left.next();
    const all = names.map(async (name) => collect(ownPieces(await offer(base, name), FROM_THE_START, never)));
    for (const [n, pieces] of (await Promise.all(all)).entries()) {
      const sent = Buffer.concat(pieces.flatMap((piece) => (piece.kind === 'data' ? [piece.bytes] : [])));
      expect(sent.equals(contents[n] ?? Buffer.alloc(0))).toBe(true);
    }
    await left.return(undefined);
  });

  it('go on beside hours of hashing, which can be given up', async () => {
    const base = scratchFolder();
    plant(base, { huge: '', f: 'x' });
    truncateSync(join(base, 'huge'), 2 ** 43);
    const huge = await offer(base, 'huge');
    huge.warmUp();
    const small = await offer(base, 'f');
    expect(outline(await collect(ownPieces(small, FROM_THE_START, never)))).toEqual([
      'resume 0 at 0',
      'data 0 0+1',
      'end 0 1',
    ]);
    const stopping = new AbortController();
    const wanted = { entry: 0, checkpoints: [{ length: 2 ** 43, sha256: Buffer.alloc(32) }] };
    const stopped = collect(ownPieces(huge, wanted, stopping.signal));
    await collect(ownPieces(small, FROM_THE_START, never));
    stopping.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    if (openFiles.known) expect(openFiles.below(base)).toEqual([]);
  });
});

describe('resuming', () => {
  const content = noise(4 * MIB + 100);
  const wrong = (length: number): Checkpoint => ({ length, sha256: Buffer.alloc(32, 1) });

  async function resumesAt(checkpoints: Checkpoint[]): Promise<number> {
    const base = scratchFolder();
    plant(base, { before: 'x', f: content });
    const [resume, ...rest] = await collect(
      ownPieces(await offer(base, 'before', 'f'), { entry: 1, checkpoints }, never),
    );
    if (resume?.kind !== 'resume') throw new Error('no resume');
    const sent = rest.flatMap((piece) => (piece.kind === 'data' ? [piece.bytes] : []));
    expect(Buffer.concat(sent).equals(content.subarray(resume.offset))).toBe(true);
    expect(rest.at(-1)).toEqual({
      kind: 'fileEnd',
      entry: 1,
      size: content.length,
      sha256: Buffer.from(sha256(content), 'hex'),
    });
    return resume.offset;
  }

  it('goes on from the last checkpoint that agrees', async () => {
    expect(await resumesAt([])).toBe(0);
    expect(await resumesAt([checkpoint(content, MIB), checkpoint(content, 2 * MIB + 7)])).toBe(2 * MIB + 7);
    expect(await resumesAt([checkpoint(content, content.length)])).toBe(content.length);
  });

  it('goes on from before the first checkpoint that differs, whatever comes after it', async () => {
    expect(await resumesAt([checkpoint(content, MIB), wrong(2 * MIB), wrong(3 * MIB)])).toBe(MIB);
    expect(await resumesAt([wrong(MIB)])).toBe(0);
    expect(await resumesAt([checkpoint(content, 1), wrong(2 * MIB), checkpoint(content, 3 * MIB)])).toBe(1);
  });

  it('needs no reading from the start within one session, at whatever offset the receiver stands', async () => {
    const base = scratchFolder();
    plant(base, { f: content });
    utimesSync(join(base, 'f'), 1e9, 1e9);
    const sending = await offer(base, 'f');
    await collect(ownPieces(sending, FROM_THE_START, never));
    // Were the prefix read again, it would now be found to differ.
    writeFileSync(join(base, 'f'), Buffer.concat([Buffer.alloc(MIB), content.subarray(MIB)]));
    utimesSync(join(base, 'f'), 1e9, 1e9);
    for (const length of [2 * MIB, 2 * MIB + 64 * 1024, 3 * MIB - 1, content.length]) {
      const [resume] = await collect(
        ownPieces(sending, { entry: 0, checkpoints: [checkpoint(content, length)] }, never),
      );
      expect(resume).toEqual({ kind: 'resume', entry: 0, offset: length });
    }
  });

  it('begins to read a single file before it is wanted, and goes on from wherever it has come to', async () => {
    const base = scratchFolder();
    const content = noise(9 * MIB + 5);
    plant(base, { f: content });
    for (const waitMs of [0, 5, 50]) {
      const sending = await offer(base, 'f');
      sending.warmUp();
      await new Promise((wake) => setTimeout(wake, waitMs));
      const checkpoints = [checkpoint(content, MIB), checkpoint(content, 8 * MIB + 1)];
      const pieces = await collect(ownPieces(sending, { entry: 0, checkpoints }, never));
      expect(outline(pieces)[0]).toBe(`resume 0 at ${8 * MIB + 1}`);
      expect(pieces.at(-1)).toMatchObject({ kind: 'fileEnd', sha256: Buffer.from(sha256(content), 'hex') });
      await sending.close();
      if (openFiles.known) expect(openFiles.below(base)).toEqual([]);
    }
  });

  it.each<[what: string, wanted: { entry: number; checkpoints: Checkpoint[] }]>([
    ['an entry beyond the end', { entry: 2, checkpoints: [] }],
    ['a negative entry', { entry: -1, checkpoints: [] }],
    ['half an entry', { entry: 0.5, checkpoints: [] }],
    ['a checkpoint of nothing', { entry: 0, checkpoints: [wrong(0)] }],
    ['a checkpoint beyond the end', { entry: 0, checkpoints: [wrong(6)] }],
    ['checkpoints that do not rise', { entry: 0, checkpoints: [wrong(3), wrong(3)] }],
    ['a digest of another length', { entry: 0, checkpoints: [{ length: 3, sha256: Buffer.alloc(31) }] }],
    ['too many checkpoints', { entry: 0, checkpoints: Array.from({ length: 4097 }, (_, n) => wrong(n + 1)) }],
    ['checkpoints of nothing at all', { entry: 1, checkpoints: [wrong(1)] }],
  ])('refuses %s', async (_what, wanted) => {
    const base = scratchFolder();
    plant(base, { f: '12345' });
    await expect(collect(ownPieces(await offer(base, 'f'), wanted, never))).rejects.toThrow(ProtocolError);
  });
});

describe('a source that is not what was offered', () => {
  const changes: [what: string, change: (path: string) => void][] = [
    ['longer', (path) => appendFileSync(path, 'x')],
    ['shorter', (path) => truncateSync(path, 5)],
    ['of another time', (path) => utimesSync(path, 1, 1)],
    ['gone', (path) => rmSync(path)],
    [
      'a folder',
      (path) => {
        rmSync(path);
        plant(path, { x: '' });
      },
    ],
    [
      'a symlink to what was there',
      (path) => {
        renameSync(path, `${path}2`);
        symlinkSync(`${path}2`, path);
      },
    ],
  ];

  it.each(changes)('is noticed before it is read, and passed over: %s', async (_what, change) => {
    const base = scratchFolder();
    plant(base, { 'd/a': 'first', 'd/b': noise(1_000), 'd/c': 'last' });
    const sending = await offer(base, 'd');
    change(join(base, 'd/b'));
    const seen = await collect(ownPieces(sending, FROM_THE_START, never));
    const rest = ['skip 2', 'data 3 0+4', 'end 3 4'];
    expect(outline(seen)).toEqual(['resume 0 at 0', 'data 1 0+5', 'end 1 5', ...rest]);
    expect(whyOf(seen)).toBeInstanceOf(SourceChangedError);
    expect(whyOf(seen)).toMatchObject({ entry: 'd/b', message: expect.stringContaining('"d/b" has changed') });
    // Also if it is the one that the receiver wants first.
    const again = await collect(ownPieces(sending, { entry: 2, checkpoints: [] }, never));
    expect(outline(again)).toEqual(['resume 2 at 0', ...rest]);
  });

  it.each<[what: string, change: (path: string) => void]>([
    ['longer', (path) => appendFileSync(path, 'x')],
    ['shorter', (path) => truncateSync(path, MIB)],
    ['rewritten', (path) => writeFileSync(path, noise(40 * MIB, 2))],
  ])('is noticed while it is read, before its end is told: %s', async (_what, change) => {
    const base = scratchFolder();
    plant(base, { f: noise(40 * MIB) });
    const sending = await offer(base, 'f');
    const seen: OwnPiece[] = [];
    for await (const piece of ownPieces(sending, FROM_THE_START, never)) {
      seen.push(piece);
      if (seen.length === 10) change(join(base, 'f'));
    }
    expect(seen.at(-1)?.kind).toBe('skip');
    expect(whyOf(seen)).toMatchObject({ name: 'SourceChangedError', entry: 'f' });
    expect(seen.length).toBeLessThan(100);
    expect(seen.some(({ kind }) => kind === 'fileEnd')).toBe(false);
  });

  it.skipIf(!asNobody.possible)('is said to be unreadable when it has become so', async () => {
    const base = scratchFolder();
    plant(base, { f: 'x' });
    chmodSync(base, 0o755);
    const sending = await offer(base, 'f');
    chmodSync(join(base, 'f'), 0o000);
    await asNobody.run(async () => {
      const why = whyOf(await collect(ownPieces(sending, FROM_THE_START, never)));
      expect(why).toBeInstanceOf(UserError);
      expect(why?.message).toBe('"f" cannot be read any more: permission denied');
    });
  });
});
