import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { keepYoungGeneration } from '../../../src/peer/session/heap-growth.js';

/** A heap of its own. When it is asked, much survives in it for a while, and it tells by how much its young generation grew. */
const CHURN = `
  const { getHeapSpaceStatistics } = require('node:v8');
  const { parentPort } = require('node:worker_threads');
  const size = () => {
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    return space.space_used_size + space.space_available_size;
  };
  parentPort.on('message', () => {
    const before = size();
    const alive = [];
    for (let each = 0; each < 1_000_000; each += 1) alive[each % 20_000] = { each, more: [each] };
    parentPort.postMessage(size() / before);
  });
`;

async function newHeap(): Promise<() => Promise<number>> {
  const worker = new Worker(CHURN, { eval: true });
  onTestFinished(async () => void (await worker.terminate()));
  await once(worker, 'online');
  return async () => {
    worker.postMessage('churn');
    const [growth] = await once(worker, 'message');
    return growth;
  };
}

it('keeps the young generation from growing with large files that flow, and not with small ones', async () => {
  const [churnOfSmall, churnOfLarge] = await Promise.all([newHeap(), newHeap()]);
  keepYoungGeneration(4096);
  expect(await churnOfSmall()).toBeGreaterThan(2);
  keepYoungGeneration(2 ** 30);
  expect(await churnOfLarge()).toBeLessThan(1.5);
});
