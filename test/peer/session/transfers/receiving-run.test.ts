import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ReceivingThread } from '../../../../src/peer/files/receiving-thread.js';
import { ReceivingRun } from '../../../../src/peer/session/transfers/receiving-run.js';
import { MAX_FRAME_PEER } from '../../../../src/protocol/constants.js';
import { LinkClosedError } from '../../../../src/protocol/errors.js';
import { FramedStream } from '../../../../src/protocol/framed-stream.js';
import { Link } from '../../../../src/protocol/link.js';
import { peerCodec } from '../../../../src/protocol/wire.js';
import { socketPair } from '../../../support/streams.js';
import { aFile } from '../../files/helpers/entries.js';
import { never, scratchFolder } from '../../files/helpers/scratch.js';
import { memoryStore, TRANSFER } from '../../files/helpers/transfer.js';

const PIECE_BYTES = 64 * 1024;
const PIECES = 40;

async function newLink(): Promise<Link> {
  const [socket] = await socketPair();
  const hello = { kind: 'hello', version: 1, features: [], runId: '', journalId: '', group: '', path: '' } as const;
  const facts = {
    role: 'client',
    path: 'tcp-direct',
    remote: '',
    sameNetwork: true,
    group: '',
    signallingOnly: false,
  } as const;
  const link = new Link(
    new FramedStream(socket, peerCodec, MAX_FRAME_PEER),
    { ...facts, hello: { ...hello, features: [] } },
    5,
  );
  onTestFinished(() => link.destroy(new LinkClosedError('the test is over')));
  return link;
}

it('waits for memory only once, however much comes meanwhile', async () => {
  const thread = new ReceivingThread();
  onTestFinished(() => thread.stop());
  const entries = [aFile('a', PIECES * PIECE_BYTES)];
  const into = join(scratchFolder(), 'into');
  const receiving = await thread.open({ transfer: TRANSFER, entries, into, store: memoryStore(), signal: never });
  while (receiving.takeSlot(() => {}));
  const ignore = () => {};
  const handlers = { onProgress: ignore, onFile: ignore, onSkip: ignore, onComplete: ignore, onFailure: ignore };
  const run = new ReceivingRun({ transfer: TRANSFER, stream: 1, link: await newLink(), receiving, handlers });
  onTestFinished(() => run.stop());
  const takeSlot = vi.spyOn(receiving, 'takeSlot');
  for (let offset = 0; offset < PIECES * PIECE_BYTES; offset += PIECE_BYTES) {
    run.data({ stream: 1, entry: 0, offset, content: Buffer.alloc(PIECE_BYTES) });
  }
  expect(takeSlot.mock.calls.length).toBeGreaterThan(1);
  expect(new Set(takeSlot.mock.calls.map(([whenFree]) => whenFree)).size).toBe(1);
});
