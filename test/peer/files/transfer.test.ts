import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkManifest, type LocalManifest, readManifest } from '../../../src/peer/files/manifest.js';
import type { Receiving } from '../../../src/peer/files/receiving.js';
import type { Sending } from '../../../src/peer/files/sending.js';
import { DATA_CHUNK_BYTES } from '../../../src/protocol/constants.js';
import { openSending, reader } from './helpers/open-sending.js';
import type { OwnPiece } from './helpers/pieces.js';
import { never, scratchFolder } from './helpers/scratch.js';
import { smallDisk } from './helpers/small-disk.js';
import { type MemoryStore, memoryStore, openReceiving, run } from './helpers/transfer.js';
import { attributesBelow, noise, plant, sha256, survey } from './helpers/tree.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

async function offer(base: string, ...names: string[]): Promise<{ manifest: LocalManifest; sending: Sending }> {
  const manifest = await readManifest(
    names.map((name) => join(base, name)),
    reader,
    never,
  );
  checkManifest(manifest.entries);
  return { manifest, sending: openSending(manifest) };
}

async function receivingOf(manifest: LocalManifest, into: string, store: MemoryStore): Promise<Receiving> {
  const receiving = await openReceiving(manifest.entries, into, store);
  onTestFinished(() => receiving.suspend());
  return receiving;
}

describe('a transfer from folder to folder', () => {
  it('yields the same tree with the same modes and times', async () => {
    const base = scratchFolder();
    plant(base, {
      'from/a.bin': noise(2 * DATA_CHUNK_BYTES + 17),
      'from/empty.txt': '',
      'from/empty/deeper/': '',
      'from/日本/😀 (1).txt': 'smile',
      'from/.hidden': 'h',
      'from/exact': noise(DATA_CHUNK_BYTES),
    });
    chmodSync(join(base, 'from/a.bin'), 0o751);
    chmodSync(join(base, 'from/.hidden'), 0o600);
    chmodSync(join(base, 'from/empty'), 0o755);
    for (const path of ['a.bin', '日本/😀 (1).txt', '日本', 'empty', '.']) {
      utimesSync(join(base, 'from', path), 1_234_567_890, 1_234_567_890.5);
    }
    const { manifest, sending } = await offer(base, 'from');
    const receiving = await receivingOf(manifest, join(base, 'into'), memoryStore());
    const { files } = await run(sending, receiving);
    await receiving.complete();
    expect(survey(join(base, 'into/from'))).toEqual(survey(join(base, 'from')));
    expect(attributesBelow(join(base, 'into'))).toEqual({
      from: '755 1234567890500',
      ...Object.fromEntries(
        Object.entries(attributesBelow(join(base, 'from'))).map(([path, attributes]) => [`from/${path}`, attributes]),
      ),
    });
    expect(files.map(({ name }) => name)).toEqual(
      manifest.entries.filter(({ directory }) => !directory).map(({ path }) => path),
    );
    expect(receiving.bytesInPlace).toBe(manifest.entries.reduce((sum, { size }) => sum + size, 0));
  });

  it('is whole however often, and wherever, either side is stopped', async () => {
    const base = scratchFolder();
    plant(base, {
      'from/1': noise(3 * MIB + 1),
      'from/2': '',
      'from/3/a': 'a',
      'from/3/b': noise(MIB, 7),
      'from/4/': '',
      'from/5': noise(700_001, 9),
    });
    const { manifest } = await offer(base, 'from');
    const breaks = fc.array(
      fc.record({
        after: fc.integer({ min: 1, max: 9 }),
        restart: fc.constantFrom('sender', 'receiver', 'both', 'link'),
      }),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(breaks, async (plan) => {
        const into = scratchFolder();
        const store = memoryStore();
        let receiving = await receivingOf(manifest, into, store);
        let sending = openSending(manifest);
        const reported: string[] = [];
        for (const { after, restart } of plan) {
          let left = after;
          const { files } = await run(sending, receiving, () => --left === 0);
          reported.push(...files.map(({ name }) => name));
          if (restart === 'receiver' || restart === 'both') {
            await receiving.suspend();
            receiving = await receivingOf(manifest, into, store);
          }
          if (restart === 'sender' || restart === 'both') {
            await sending.close();
            sending = openSending(manifest);
          }
        }
        reported.push(...(await run(sending, receiving)).files.map(({ name }) => name));
        await receiving.complete();
        await sending.close();
        expect(survey(join(into, 'from'))).toEqual(survey(join(base, 'from')));
        expect(reported).toEqual(['from/1', 'from/2', 'from/3/a', 'from/3/b', 'from/5']);
      }),
      { numRuns: 25 },
    );
  });

  it('sends again just what differs when the partial file was altered in the middle', async () => {
    const base = scratchFolder();
    const content = noise(6 * MIB);
    plant(base, { f: content });
    const { manifest, sending } = await offer(base, 'f');
    const into = join(base, 'into');
    const store = memoryStore();
    const first = await receivingOf(manifest, into, store);
    await run(sending, first, (piece) => piece.kind === 'data' && piece.offset >= 5 * MIB);
    await first.suspend();
    const temp = join(into, readdirSync(into)[0] ?? '');
    const file = openSync(temp, 'r+');
    writeSync(file, 'not what was sent', 3 * MIB + 5);
    closeSync(file);
    const second = await receivingOf(manifest, into, store);
    const { pieces, files } = await run(openSending(manifest), second);
    expect(pieces[0]).toEqual({ kind: 'resume', entry: 0, offset: 3 * MIB });
    expect(files[0]?.sha256).toBe(sha256(content));
    expect(survey(into)).toEqual({ f: sha256(content) });
  });

  it('begins anew, and arrives whole, when the source was altered before what had been sent', async () => {
    const base = scratchFolder();
    plant(base, { f: noise(3 * MIB) });
    utimesSync(join(base, 'f'), 1e9, 1e9);
    const { manifest, sending } = await offer(base, 'f');
    const into = join(base, 'into');
    const store = memoryStore();
    const first = await receivingOf(manifest, into, store);
    await run(sending, first, (piece) => piece.kind === 'data' && piece.offset >= 2 * MIB);
    await first.suspend();
    // With the time that was offered, so that nothing but the content tells.
    const altered = noise(3 * MIB, 2);
    writeFileSync(join(base, 'f'), altered);
    utimesSync(join(base, 'f'), 1e9, 1e9);
    const second = await receivingOf(manifest, into, store);
    const { pieces } = await run(openSending(manifest), second);
    expect(pieces[0]).toEqual({ kind: 'resume', entry: 0, offset: 0 });
    expect(survey(into)).toEqual({ f: sha256(altered) });
  });

  it('moves within a session without reading the partial file again', async () => {
    const base = scratchFolder();
    plant(base, { f: noise(4 * MIB) });
    const { manifest, sending } = await offer(base, 'f');
    const receiving = await receivingOf(manifest, join(base, 'into'), memoryStore());
    const seen: OwnPiece[] = [];
    const upTo = (offset: number) => (piece: OwnPiece) => {
      seen.push(piece);
      return piece.kind === 'data' && piece.offset >= offset;
    };
    for (const offset of [MIB, 2 * MIB, 3 * MIB]) await run(sending, receiving, upTo(offset));
    await run(sending, receiving, upTo(Number.POSITIVE_INFINITY));
    const resumes = seen.flatMap((piece) => (piece.kind === 'resume' ? [piece.offset] : []));
    expect(resumes).toEqual([0, MIB, 2 * MIB, 3 * MIB].map((offset) => offset && offset + DATA_CHUNK_BYTES));
    const data = seen.flatMap((piece) => (piece.kind === 'data' ? [piece.offset] : []));
    expect(data).toEqual([...new Set(data)]);
  });
});

describe('a large transfer', () => {
  it('of 5,000 small files arrives whole', async () => {
    const base = fastDisk();
    plant(
      base,
      Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`from/${n % 50}/${n}.txt`, `content of ${n}`])),
    );
    const { manifest, sending } = await offer(base, 'from');
    const receiving = await receivingOf(manifest, join(base, 'into'), memoryStore());
    const { files } = await run(sending, receiving);
    await receiving.complete();
    expect(files.length).toBe(5_000);
    expect(survey(join(base, 'into/from'))).toEqual(survey(join(base, 'from')));
  });

  it('of a file beyond 4 GiB counts, resumes and verifies it right', async () => {
    const base = fastDisk();
    const size = 4 * GIB + 40 * MIB + 3;
    const path = join(base, 'sparse');
    writeFileSync(path, noise(MIB));
    truncateSync(path, size - 5);
    writeFileSync(path, 'tail!', { flag: 'a' });
    const { manifest, sending } = await offer(base, 'sparse');
    const into = join(base, 'into');
    const store = memoryStore();
    const first = await receivingOf(manifest, into, store);
    await run(sending, first, (piece) => piece.kind === 'data' && piece.offset >= 2 * MIB);
    await first.suspend();
    // As if it had come that far, without filling a disk with zeros.
    const temp = join(into, readdirSync(into)[0] ?? '');
    truncateSync(temp, 4 * GIB + MIB + 1);
    const second = await receivingOf(manifest, into, store);
    const { pieces, files } = await run(openSending(manifest), second);
    expect(pieces[0]).toEqual({ kind: 'resume', entry: 0, offset: 4 * GIB + MIB + 1 });
    expect(files).toMatchObject([{ name: 'sparse', path: join(into, 'sparse'), bytes: size }]);
    expect(statSync(join(into, 'sparse')).size).toBe(size);
    expect(contentAt(join(into, 'sparse'), 0, MIB).equals(noise(MIB))).toBe(true);
    expect(contentAt(join(into, 'sparse'), size - 7, 7).toString()).toBe('\0\0tail!');
    expect(second.bytesInPlace).toBe(size);
  });
});

function contentAt(path: string, offset: number, length: number): Buffer {
  const file = openSync(path, 'r');
  const content = Buffer.alloc(length);
  readSync(file, content, 0, length, offset);
  closeSync(file);
  return content;
}

/** In memory where that can be had: syncing, and reading the holes of a sparse file, cost next to nothing there. */
function fastDisk(): string {
  return smallDisk.possible ? smallDisk.mount(256 * MIB) : scratchFolder();
}
