import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import type { Step } from '../../../src/peer/files/batch.js';
import { DigestMismatchError } from '../../../src/peer/files/file-errors.js';
import type { ReceivingSlot } from '../../../src/peer/files/receiving-slots.js';
import { ReceivingThread, type ThreadedReceiving } from '../../../src/peer/files/receiving-thread.js';
import { unpackError } from '../../../src/peer/files/thread/crossing-error.js';
import { ProtocolError, UserError } from '../../../src/protocol/errors.js';
import { aFile, aFolder } from './helpers/entries.js';
import { never, scratchFolder } from './helpers/scratch.js';
import { type MemoryStore, memoryStore, TRANSFER } from './helpers/transfer.js';
import { sha256 } from './helpers/tree.js';

const entries = [aFolder('d'), aFile('d/a', 5), aFile('d/b', 4), aFile('d/zero', 0)];
const lost = { name: 'UserError', exitCode: 7, message: expect.stringContaining('works on files') };

function newThread(): ReceivingThread {
  const thread = new ReceivingThread();
  onTestFinished(() => thread.stop());
  return thread;
}

async function open(thread: ReceivingThread, into: string, store: MemoryStore = memoryStore()) {
  return thread.open({ transfer: TRANSFER, entries, into, store, signal: never });
}

function slotOf(receiving: ThreadedReceiving): ReceivingSlot {
  const slot = receiving.takeSlot(() => {});
  if (!slot) throw new Error('no slot is free');
  return slot;
}

/** The files from `entry` on, as steps whose bytes are in the slot. */
function stepsOf(slot: ReceivingSlot, entry: number, contents: string[]): Step[] {
  return contents.flatMap((content, index) => {
    const end: Step = { kind: 'fileEnd', entry: entry + index, size: content.length, sha256: sha256(content) };
    if (content === '') return [end];
    const at = slot.add(Buffer.from(content));
    return [{ kind: 'data', entry: entry + index, offset: 0, at, length: content.length }, end];
  });
}

async function take(receiving: ThreadedReceiving, entry: number, contents: string[]) {
  const slot = slotOf(receiving);
  const steps: Step[] = [{ kind: 'resume', entry, offset: 0 }, ...stepsOf(slot, entry, contents)];
  const taken = await receiving.take(steps, slot).finally(() => slot.giveBack());
  return taken;
}

/** The worker that is started next. */
function nextWorker(): Promise<Worker> {
  return new Promise((resolve) => process.once('worker', resolve));
}

it('receives files, notes its progress here, and gives the memory back', async () => {
  const into = join(scratchFolder(), 'into');
  const store = memoryStore();
  const receiving = await open(newThread(), into, store);
  expect(await receiving.want()).toEqual({ entry: 1, checkpoints: [] });
  const { received, consumed, failure } = await take(receiving, 1, ['alpha', 'beta', '']);
  expect(failure).toBe(null);
  expect(consumed).toBe(9 + 3 * 1024);
  expect(received.map(({ name, sha256: digest }) => [name, digest])).toEqual([
    ['d/a', sha256('alpha')],
    ['d/b', sha256('beta')],
    ['d/zero', sha256('')],
  ]);
  expect(receiving.finished).toBe(true);
  expect(receiving.bytesInPlace).toBe(9);
  await receiving.complete();
  expect(readFileSync(join(into, 'd/a'), 'utf8')).toBe('alpha');
  expect(JSON.parse(store.json)).toMatchObject({ next: 4 });
  await receiving.suspend();
});

it('takes apart data that hold whole files', async () => {
  const into = join(scratchFolder(), 'into');
  const receiving = await open(newThread(), into);
  await receiving.want();
  const slot = slotOf(receiving);
  const parts = ['alpha', 'beta', ''].flatMap((content) => [Buffer.from(content), Buffer.from(sha256(content), 'hex')]);
  const length = Buffer.concat(parts).length;
  const data: Step = { kind: 'data', entry: 1, offset: 0, at: slot.add(Buffer.concat(parts)), length };
  const { received, consumed, failure } = await receiving.take([{ kind: 'resume', entry: 1, offset: 0 }, data], slot);
  expect(failure).toBe(null);
  expect(consumed).toBe(9 + 3 * 1024);
  expect(received.map(({ name }) => name)).toEqual(['d/a', 'd/b', 'd/zero']);
  await receiving.complete();
  expect(readFileSync(join(into, 'd/b'), 'utf8')).toBe('beta');
});

it.each([
  ['are cut off', 5 + 32 + 4 + 31],
  ['are more than the manifest has', 5 + 32 + 4 + 32 + 32 + 1],
])('takes nothing of data whose whole files %s', async (_, length) => {
  const into = join(scratchFolder(), 'into');
  const receiving = await open(newThread(), into);
  await receiving.want();
  const slot = slotOf(receiving);
  const at = slot.add(Buffer.alloc(length));
  const steps: Step[] = [
    { kind: 'resume', entry: 1, offset: 0 },
    { kind: 'data', entry: 1, offset: 0, at, length },
  ];
  const { received, failure } = await receiving.take(steps, slot);
  expect(received).toEqual([]);
  expect(failure && unpackError(failure)).toBeInstanceOf(ProtocolError);
  expect(readdirSync(join(into, 'd'))).toEqual([]);
});

it('tells what came of a batch before what went wrong in it, and takes no more until wanted again', async () => {
  const receiving = await open(newThread(), join(scratchFolder(), 'into'));
  await receiving.want();
  const slot = slotOf(receiving);
  const steps: Step[] = [{ kind: 'resume', entry: 1, offset: 0 }, ...stepsOf(slot, 1, ['alpha', 'beta'])];
  const wrong = steps.map((step) =>
    step.kind === 'fileEnd' && step.entry === 2 ? { ...step, sha256: sha256('x') } : step,
  );
  const next = slotOf(receiving);
  const [taken, after] = await Promise.all([receiving.take(wrong, slot), receiving.take(stepsOf(next, 3, ['']), next)]);
  expect(taken.received.map(({ name }) => name)).toEqual(['d/a']);
  expect(taken.failure && unpackError(taken.failure)).toBeInstanceOf(DigestMismatchError);
  expect(after).toEqual({ received: [], skipped: [], consumed: 0, failure: null });
  expect((await receiving.want()).entry).toBe(2);
});

it('fails as the journal here does when a note cannot be made', async () => {
  const store = memoryStore();
  const receiving = await open(newThread(), join(scratchFolder(), 'into'), store);
  store.save = () => {
    throw new UserError(7, 'the home is on a disk that is full', 'free some space');
  };
  await expect(receiving.want()).rejects.toMatchObject({ exitCode: 7, hint: 'free some space' });
});

it('lends few slots, and tells when one is free again', async () => {
  const receiving = await open(newThread(), join(scratchFolder(), 'into'));
  const slots: ReceivingSlot[] = [];
  let told = 0;
  for (let slot = receiving.takeSlot(() => told++); slot; slot = receiving.takeSlot(() => told++)) slots.push(slot);
  expect(slots.length).toBeLessThan(10);
  expect(told).toBe(0);
  slots[0]?.giveBack();
  expect(told).toBe(1);
  expect(receiving.takeSlot(() => {})).toBe(slots[0]);
});

it('that dies fails what it is asked, and the next one goes on from what is there', async () => {
  const into = join(scratchFolder(), 'into');
  const store = memoryStore();
  const thread = newThread();
  const started = nextWorker();
  const receiving = await open(thread, into, store);
  await receiving.want();
  await take(receiving, 1, ['alpha']);
  const worker = await started;
  await worker.terminate();
  await expect(receiving.want()).rejects.toMatchObject(lost);
  const slot = slotOf(receiving);
  await expect(receiving.take([], slot)).rejects.toMatchObject(lost);
  slot.giveBack();
  await receiving.suspend();
  const again = await open(thread, into, store);
  expect((await again.want()).entry).toBe(2);
  const { failure } = await take(again, 2, ['beta', '']);
  expect(failure).toBe(null);
  await again.complete();
  expect(readdirSync(join(into, 'd')).sort()).toEqual(['a', 'b', 'zero']);
});
