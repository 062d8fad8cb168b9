import { expect, it } from 'vitest';
import { readAhead } from '../../../src/peer/files/read-ahead.js';

async function* count(log: string[], upTo: number, failure?: Error): AsyncGenerator<number, void> {
  try {
    for (let n = 1; n <= upTo; n++) {
      log.push(`made ${n}`);
      yield n;
    }
    if (failure) throw failure;
  } finally {
    log.push('closed');
  }
}

it('passes on every value, each made while the one before it is in use', async () => {
  const log: string[] = [];
  for await (const n of readAhead(count(log, 3))) {
    await Promise.resolve();
    log.push(`used ${n}`);
  }
  expect(log).toEqual(['made 1', 'made 2', 'used 1', 'made 3', 'used 2', 'closed', 'used 3']);
});

it('closes the source when the reader stops early', async () => {
  const log: string[] = [];
  for await (const n of readAhead(count(log, 9))) if (n === 2) break;
  expect(log).toEqual(['made 1', 'made 2', 'made 3', 'closed']);
});

it('passes a failure on after the values before it', async () => {
  const got: number[] = [];
  const reading = (async () => {
    for await (const n of readAhead(count([], 2, new Error('worn out')))) got.push(n);
  })();
  await expect(reading).rejects.toThrow('worn out');
  expect(got).toEqual([1, 2]);
});

it('keeps a failure to itself that the reader did not stay for', async () => {
  for await (const n of readAhead(count([], 1, new Error('unheard')))) {
    await new Promise(setImmediate);
    if (n === 1) break;
  }
});
