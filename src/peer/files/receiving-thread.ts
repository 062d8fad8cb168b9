import type { Checkpoint } from '../../protocol/messages.js';
import type { Step, Taken } from './batch.js';
import type { ReceiptStore } from './receipt-journal.js';
import type { ReceivedFile, ReceivingOptions } from './receiving.js';
import { type ReceivingSlot, ReceivingSlots } from './receiving-slots.js';
import type { NotesAnswers, ReceivingCalls, Told } from './receiving-worker.js';
import { Thread } from './thread/thread.js';

/** The thread in which files are received: it hashes them, writes them and puts them in place. */
export class ReceivingThread {
  #thread: Thread<ReceivingCalls> | null = null;
  readonly #stores = new Map<number, ReceiptStore>();
  readonly #slots = new ReceivingSlots();
  #opened = 0;

  /** For whoever will soon want it open: to start takes a thread some 50 ms. */
  start(): void {
    this.#running();
  }

  /** As Receiving.open(). */
  async open({ store, signal, ...o }: ReceivingOptions): Promise<ThreadedReceiving> {
    signal.throwIfAborted();
    const thread = this.#running();
    this.#opened += 1;
    const number = this.#opened;
    this.#stores.set(number, store);
    const stop = () => void thread.call('stopOpening', number).catch(() => {});
    signal.addEventListener('abort', stop);
    try {
      const told = await thread.call('open', number, { ...o, notes: store.load() });
      return new ThreadedReceiving(thread, number, this.#slots, told, () => this.#stores.delete(number));
    } catch (error) {
      this.#stores.delete(number);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async stop(): Promise<void> {
    await this.#thread?.stop();
  }

  #running(): Thread<ReceivingCalls> {
    if (!this.#thread || this.#thread.ended) {
      const answers: NotesAnswers = {
        // What a store returns need not be fit to cross between threads.
        save: (number, notes) => void this.#stores.get(number)?.save(notes),
      };
      this.#thread = new Thread(new URL('./receiving-worker.js', import.meta.url), answers);
    }
    return this.#thread;
  }
}

/** A Receiving in that thread. Whatever is asked of it is a UserError (7) if the thread has failed. */
export class ThreadedReceiving {
  readonly #thread: Thread<ReceivingCalls>;
  readonly #number: number;
  readonly #slots: ReceivingSlots;
  readonly #onEnd: () => void;
  #bytesInPlace = 0;
  #finished = false;
  #skipped = 0;
  #ended = false;
  readonly #recovered: ReceivedFile[] = [];

  constructor(
    thread: Thread<ReceivingCalls>,
    number: number,
    slots: ReceivingSlots,
    told: Told<void>,
    onEnd: () => void,
  ) {
    this.#thread = thread;
    this.#number = number;
    this.#slots = slots;
    this.#onEnd = onEnd;
    this.#hear(told);
  }

  get bytesInPlace(): number {
    return this.#bytesInPlace;
  }

  get finished(): boolean {
    return this.#finished;
  }

  get skipped(): number {
    return this.#skipped;
  }

  get recovered(): readonly ReceivedFile[] {
    return this.#recovered;
  }

  async want(): Promise<{ entry: number; checkpoints: Checkpoint[] }> {
    const { entry, checkpoints } = this.#hear(await this.#thread.call('want', this.#number));
    return { entry, checkpoints: checkpoints.map(({ length, sha256 }) => ({ length, sha256: Buffer.from(sha256) })) };
  }

  /** For the next batch. Null if there is none: `whenFree` is called when it is worth asking again. */
  takeSlot(whenFree: () => void): ReceivingSlot | null {
    return this.#slots.take(whenFree);
  }

  /** Batches are taken one after the other; what is wrong with one is told in its result, and ends all that follow. */
  async take(steps: readonly Step[], slot: ReceivingSlot): Promise<Taken> {
    const told = await this.#thread.call('take', this.#number, steps, slot.memory);
    slot.memory = told.memory;
    return this.#hear(told);
  }

  async complete(): Promise<void> {
    this.#hear(await this.#thread.call('complete', this.#number));
    this.#end();
  }

  async discard(): Promise<void> {
    this.#hear(await this.#thread.call('discard', this.#number));
    this.#end();
  }

  async suspend(): Promise<void> {
    if (this.#ended) return;
    try {
      this.#hear(await this.#thread.call('suspend', this.#number));
    } catch (error) {
      // Then everything that it held is closed.
      if (!this.#thread.ended) throw error;
    }
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#onEnd();
  }

  #hear<T>({ value, bytesInPlace, finished, skipped, recovered }: Told<T>): T {
    this.#bytesInPlace = bytesInPlace;
    this.#finished = finished;
    this.#skipped = skipped;
    this.#recovered.push(...recovered);
    return value;
  }
}
