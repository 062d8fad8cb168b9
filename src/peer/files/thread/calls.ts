import type { MessagePort } from 'node:worker_threads';
import { type CrossingError, packError, unpackError } from './crossing-error.js';

/**
 * What one thread can be asked by another. Arguments and results are cloned; SharedArrayBuffers are shared, and an
 * ArrayBuffer that is an argument, or a property of a result, is moved: it is empty afterwards where it was.
 */
export type Calls<Names extends string = string> = Record<Names, (...args: never[]) => unknown>;

export type Asked<C extends Calls, Name extends keyof C> = Parameters<C[Name]>;
export type Told<C extends Calls, Name extends keyof C> = Awaited<ReturnType<C[Name]>>;

export interface Call {
  number: number;
  name: string;
  args: unknown[];
}

export type Outcome = { value: unknown } | { error: CrossingError };
export type Answer = { number: number } & Outcome;

/** What a thread is given to ask the main thread and wait for the answer without returning to its event loop. */
export interface Questions {
  port: MessagePort;
  /** One number: how many questions were answered. */
  answered: Int32Array;
}

export async function perform(calls: Calls, { name, args }: Call): Promise<Outcome> {
  try {
    return { value: await run(calls, name, args) };
  } catch (error) {
    return { error: packError(error) };
  }
}

export function performNow(calls: Calls, { name, args }: Call): Outcome {
  try {
    return { value: run(calls, name, args) };
  } catch (error) {
    return { error: packError(error) };
  }
}

/** Those of the values that are moved. */
export function movedAmong(values: unknown): ArrayBuffer[] {
  return Object.values(values ?? {}).filter((value) => value instanceof ArrayBuffer);
}

/** What the outcome says: returned or thrown. */
export function settle(outcome: Outcome): unknown {
  if ('error' in outcome) throw unpackError(outcome.error);
  return outcome.value;
}

function run(calls: Calls, name: string, args: unknown[]): unknown {
  const call = calls[name];
  if (!call) throw new Error(`no call ${name}`);
  return call(...(args as never[]));
}
