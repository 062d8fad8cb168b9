import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  type Asked,
  type Call,
  type Calls,
  movedAmong,
  type Outcome,
  perform,
  type Questions,
  settle,
  type Told,
} from './calls.js';

/** Called once in a thread that was started as a Thread: does what it is asked. Calls begin in the order in which they came. */
export function serveCalls(calls: Calls): void {
  parentPort?.on('message', async (call: Call) => {
    const outcome = await perform(calls, call);
    const moved = 'value' in outcome ? movedAmong(outcome.value) : [];
    parentPort?.postMessage({ number: call.number, ...outcome }, moved);
  });
}

/**
 * Asks the main thread and stands still until it has answered. The main thread never stands still for this one, so
 * neither waits for ever.
 */
export function askMainThread<Answers extends Calls, Name extends keyof Answers & string>(
  name: Name,
  ...args: Asked<Answers, Name>
): Told<Answers, Name> {
  const { port, answered }: Questions = workerData;
  const before = Atomics.load(answered, 0);
  port.postMessage({ number: before, name, args } satisfies Call);
  Atomics.wait(answered, 0, before);
  const outcome: Outcome = receiveMessageOnPort(port)?.message;
  return settle(outcome) as Told<Answers, Name>;
}
