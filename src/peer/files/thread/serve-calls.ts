import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  type Answer,
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
 * Asks the main thread. The function that this returns stands still until the answer has come, and returns it. The main
 * thread never stands still for this one, so neither waits for ever.
 */
export function ask<Answers extends Calls, Name extends keyof Answers & string>(
  name: Name,
  ...args: Asked<Answers, Name>
): () => Told<Answers, Name> {
  const { port, answered }: Questions = workerData;
  const number = asked;
  asked += 1;
  port.postMessage({ number, name, args } satisfies Call);
  return () => {
    for (let count = Atomics.load(answered, 0); count <= number; count = Atomics.load(answered, 0)) {
      Atomics.wait(answered, 0, count);
    }
    return settle(outcomeOf(number, port)) as Told<Answers, Name>;
  };
}

let asked = 0;

/** Answers come in the order of the questions; those that nobody waited for are passed over. */
function outcomeOf(number: number, port: MessagePort): Outcome {
  let answer: Answer;
  do answer = receiveMessageOnPort(port)?.message;
  while (answer.number < number);
  return answer;
}
