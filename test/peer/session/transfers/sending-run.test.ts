import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setTimeout as pass } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { SourceChangedError } from '../../../../src/peer/files/file-errors.js';
import { readManifest } from '../../../../src/peer/files/manifest.js';
import { wholeFilesIn } from '../../../../src/peer/files/whole-files.js';
import { SendingRun } from '../../../../src/peer/session/transfers/sending-run.js';
import { MAX_FRAME_PEER } from '../../../../src/protocol/constants.js';
import { decodeData } from '../../../../src/protocol/data-frames.js';
import { LinkClosedError } from '../../../../src/protocol/errors.js';
import { FramedStream } from '../../../../src/protocol/framed-stream.js';
import { FrameReader, FrameType } from '../../../../src/protocol/frames.js';
import { Link, type LinkFacts } from '../../../../src/protocol/link.js';
import type { Want } from '../../../../src/protocol/messages.js';
import { WHOLE_FILES } from '../../../../src/protocol/peer-handshake.js';
import { peerCodec } from '../../../../src/protocol/wire.js';
import { openSending, reader } from '../../files/helpers/open-sending.js';
import { never, scratchFolder } from '../../files/helpers/scratch.js';
import { noise, plant, sha256 } from '../../files/helpers/tree.js';

const id16 = 'ab'.repeat(16);
const want: Want = { kind: 'want', transfer: id16, stream: 3, entry: 0, checkpoints: [] };
const facts: LinkFacts = {
  role: 'client',
  path: 'tcp-direct',
  remote: '127.0.0.1:1',
  sameNetwork: true,
  group: 'X25519',
  hello: { kind: 'hello', version: 1, features: [], runId: id16, journalId: id16, group: '', path: '' },
  signallingOnly: false,
};

/** Sends what lies in `folder` to a peer with these features, over a network that looks at each write only after its time, in turn, in milliseconds. */
async function send(folder: string, delays: readonly number[], features: string[]): Promise<Map<string, string>> {
  const manifest = await readManifest([folder], reader, never);
  const frames = new FrameReader(MAX_FRAME_PEER);
  const contents = manifest.entries.map((): Buffer[] => []);
  const told = new Map<string, string>();
  let consumed = 0;
  let writes = 0;
  const hearWholeFiles = (first: number, bytes: Buffer) => {
    expect(features).toContain(WHOLE_FILES);
    for (const { entry, at, size } of wholeFilesIn(manifest.entries, first, bytes.length)) {
      contents[entry]?.push(bytes.subarray(at, at + size));
      told.set(manifest.entries[entry]?.path ?? '', bytes.toString('hex', at + size, at + size + 32));
      consumed += size + 1024;
    }
  };
  const hear = (frame: ReturnType<FrameReader['next']>) => {
    if (frame?.type === FrameType.data) {
      const { stream, entry, offset, content } = decodeData(frame);
      expect(stream).toBe(want.stream);
      if (offset === 0 && content.length > (manifest.entries[entry]?.size ?? 0)) hearWholeFiles(entry, content);
      else {
        contents[entry]?.push(content);
        consumed += content.length;
      }
    } else if (frame) {
      const message = peerCodec.decode(frame.payload);
      if (message.kind !== 'fileEnd') return;
      told.set(manifest.entries[message.entry]?.path ?? '', message.sha256.toString('hex'));
      consumed += 1024;
    }
  };
  const network = new Duplex({
    read() {},
    async write(chunk: Buffer, _, done) {
      await pass(delays[writes++ % delays.length]);
      try {
        frames.push(Buffer.from(chunk));
        for (let frame = frames.next(); frame; frame = frames.next()) hear(frame);
        done();
        run.consumed(consumed);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const hello = { ...facts.hello, features };
  const link = new Link(new FramedStream(network, peerCodec, MAX_FRAME_PEER), { ...facts, hello }, 5);
  onTestFinished(() => link.destroy(new LinkClosedError('the test is over')));
  const ignore = () => {};
  const run = new SendingRun({ link, want, total: 0, sending: openSending(manifest), emit: ignore, onSkip: ignore });
  link.attach({
    onMessage: ignore,
    onData: ignore,
    onDrain: () => run.wake(),
    onDoubt: ignore,
    onClose: () => run.stop(),
  });
  await run.run();
  await expect.poll(() => told.size).toBe(manifest.entries.filter(({ directory }) => !directory).length);
  for (const [index, { path }] of manifest.entries.entries()) {
    if (told.has(path)) expect(sha256(Buffer.concat(contents[index] ?? []))).toBe(told.get(path));
  }
  return told;
}

it('sends what is in the files, however long the network takes to take it, in whatever sizes', async () => {
  const size = fc.oneof(fc.nat(9_000), fc.nat(300_000), fc.integer({ min: 3_500_000, max: 5_000_000 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 7 }),
      fc.subarray([WHOLE_FILES]),
      async (sizes, delays, features) => {
        const base = scratchFolder();
        const files = sizes.map((length, n) => [`d/f${String(n).padStart(2, '0')}`, noise(length, n + 1)] as const);
        plant(base, Object.fromEntries(files));
        const told = await send(join(base, 'd'), delays, features);
        expect([...told]).toEqual(files.map(([path, content]) => [path, sha256(content)]));
      },
    ),
    { numRuns: 8 },
  );
});

it.each([
  ['the receiver cannot do without it', [], { a: 'one', b: 'two' }],
  ['there is no other', ['skip'], { a: 'one' }],
])('ends with what is wrong with a file if %s', async (_why, features, files) => {
  const folder = scratchFolder();
  plant(folder, files);
  const manifest = await readManifest([folder], reader, never);
  rmSync(join(folder, 'a'));
  const network = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const hello = { ...facts.hello, features };
  const link = new Link(new FramedStream(network, peerCodec, MAX_FRAME_PEER), { ...facts, hello }, 5);
  onTestFinished(() => link.destroy(new LinkClosedError('the test is over')));
  const ignore = () => {};
  const run = new SendingRun({ link, want, total: 0, sending: openSending(manifest), emit: ignore, onSkip: ignore });
  await expect(run.run()).rejects.toThrow(SourceChangedError);
});
