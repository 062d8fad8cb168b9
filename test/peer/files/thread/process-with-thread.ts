/** A process that starts a thread, uses it if its argument says so, and should then end by itself. */
import { Thread } from '../../../../src/peer/files/thread/thread.js';
import type { TryingCalls } from './trying-worker.js';
// Here it does nothing: this has it compiled.
import './trying-worker.js';

const answers = { double: (value: number) => 2 * value };
const thread = new Thread<TryingCalls>(new URL('./trying-worker.js', import.meta.url), answers);
if (process.argv[2] === 'use') console.log(await thread.call('later', 100), await thread.call('askDoubles', 2));
if (process.argv[2] === 'stop') {
  await thread.call('add', 1, 2);
  const last = thread.call('add', 3, 4);
  // Its answer is there, and heard while the thread ends.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  const stopped = thread.stop();
  console.log(await last);
  await stopped;
  console.log('stopped');
}
