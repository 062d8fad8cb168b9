import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Pipe } from '../../../src/peer/session/pipe.js';

const PIECE_BYTES = 64 * 1024;
const MiB = 1024 * 1024;

test('what cannot be sent yet is read a little ahead, and the rest is left to whoever writes it', async () => {
  let read = 0;
  const input = new Readable({
    read() {
      read += PIECE_BYTES;
      this.push(Buffer.alloc(PIECE_BYTES));
    },
  });
  const pipe = new Pipe({ input, output: new PassThrough(), onDone: () => {}, onBroken: () => {} });
  onTestFinished(() => pipe.close());
  await once(input, 'pause');
  await setImmediate();
  expect(read).toBeGreaterThanOrEqual(MiB);
  expect(read).toBeLessThan(1.5 * MiB);
});
