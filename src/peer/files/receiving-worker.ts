/** The thread in which files are received: see ReceivingThread, which asks it. */
import type { Checkpoint, ManifestEntry } from '../../protocol/messages.js';
import { type Step, type Taken, takeSteps } from './batch.js';
import { type ReceivedFile, Receiving } from './receiving.js';
import { askMainThread, serveCalls } from './thread/serve-calls.js';

export type ReceivingCalls = typeof calls;

/** What this thread asks. */
export type NotesAnswers = { save(receiving: number, notes: string): void };

/** A call's result, and where the transfer is by then. */
export interface Told<T> {
  value: T;
  bytesInPlace: number;
  finished: boolean;
  /** How many files were left out so far. */
  skipped: number;
  /** Those not told of before. */
  recovered: ReceivedFile[];
}

interface Opened {
  receiving: Receiving;
  recoveredTold: number;
  /** Batches that were sent before their sender heard of a failure are for nothing. */
  failed: boolean;
  turn: Promise<unknown>;
}

const opened = new Map<number, Opened>();
const opening = new Map<number, AbortController>();

const calls = {
  async open(
    number: number,
    o: { transfer: string; entries: readonly ManifestEntry[]; into: string; notes: string },
  ): Promise<Told<void>> {
    const abort = new AbortController();
    opening.set(number, abort);
    try {
      const store = {
        load: () => o.notes,
        save: (notes: string) => askMainThread<NotesAnswers, 'save'>('save', number, notes),
      };
      const receiving = await Receiving.open({ ...o, store, signal: abort.signal });
      opened.set(number, { receiving, recoveredTold: 0, failed: false, turn: Promise.resolve() });
    } finally {
      opening.delete(number);
    }
    return tell(number, undefined);
  },

  stopOpening(number: number): void {
    opening.get(number)?.abort(new Error('the session was closed'));
  },

  async want(number: number): Promise<Told<{ entry: number; checkpoints: Checkpoint[] }>> {
    const wanted = await find(number).receiving.want();
    find(number).failed = false;
    return tell(number, wanted);
  },

  /** `memory` holds what the steps speak of, and is given back. */
  take(number: number, steps: readonly Step[], memory: ArrayBuffer): Promise<Told<Taken> & { memory: ArrayBuffer }> {
    const each = find(number);
    const taking = each.turn.then(async () => {
      const taken = await takeSteps(each.failed ? [] : steps, Buffer.from(memory), each.receiving);
      each.failed ||= taken.failure !== null;
      return { ...tell(number, taken), memory };
    });
    each.turn = taking;
    return taking;
  },

  async complete(number: number): Promise<Told<void>> {
    await find(number).receiving.complete();
    return close(number);
  },

  async discard(number: number): Promise<Told<void>> {
    await find(number).receiving.discard();
    return close(number);
  },

  async suspend(number: number): Promise<Told<void>> {
    await find(number).receiving.suspend();
    return close(number);
  },
};

function find(number: number): Opened {
  const found = opened.get(number);
  if (!found) throw new Error('this transfer has ended here');
  return found;
}

function tell<T>(number: number, value: T): Told<T> {
  const each = find(number);
  const { bytesInPlace, finished, skipped } = each.receiving;
  const recovered = each.receiving.recovered.slice(each.recoveredTold);
  each.recoveredTold += recovered.length;
  return { value, bytesInPlace, finished, skipped, recovered };
}

function close(number: number): Told<void> {
  const told = tell(number, undefined);
  opened.delete(number);
  return told;
}

serveCalls(calls);
