import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, workerData } from 'node:worker_threads';

/** Far above any target's own bound: whoever takes this long will not come back. */
const HANG_MS = 30_000;
const LOOK_EVERY_MS = 500;
const MAX_INPUT_BYTES = 1024 * 1024;
/** Places of the shared numbers. */
const COUNT = 0;
const LENGTH = 1;

interface Shared {
  numbers: Int32Array<SharedArrayBuffer>;
  input: Uint8Array<SharedArrayBuffer>;
  folder: string;
}

/** Watches from another thread: an input that never comes back cannot be noticed from its own. */
export class Watchdog {
  readonly #shared: Shared;
  readonly #worker: Worker;

  /** @param folder where the input of a hang is written */
  constructor(folder: string) {
    this.#shared = {
      numbers: new Int32Array(new SharedArrayBuffer(8)),
      input: new Uint8Array(new SharedArrayBuffer(MAX_INPUT_BYTES)),
      folder,
    };
    this.#worker = new Worker(new URL(import.meta.url), { workerData: this.#shared });
    this.#worker.unref();
  }

  /** This input is about to run. */
  begin(input: Buffer): void {
    const { numbers, input: shared } = this.#shared;
    shared.set(input.subarray(0, MAX_INPUT_BYTES));
    numbers[LENGTH] = input.length;
    Atomics.add(numbers, COUNT, 1);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

if (workerData) watch(workerData);

function watch({ numbers, input, folder }: Shared): void {
  let count = 0;
  let since = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (numbers[COUNT] !== count) {
      count = numbers[COUNT] ?? 0;
      since = now;
    } else if (now - since > HANG_MS) {
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `hang-${count}`);
      writeFileSync(file, input.subarray(0, numbers[LENGTH]));
      writeFileSync(2, `fuzz: an input runs for more than ${HANG_MS} ms: ${file}\n`);
      process.kill(process.pid, 'SIGKILL');
    }
  }, LOOK_EVERY_MS);
}
