/** A thread that answers, fails, crashes and asks back, as it is asked to. */
import { readFileSync } from 'node:fs';
import { DigestMismatchError, SourceChangedError } from '../../../../src/peer/files/file-errors.js';
import { askMainThread, serveCalls } from '../../../../src/peer/files/thread/serve-calls.js';
import { ExitCode, ProtocolError, UserError } from '../../../../src/protocol/errors.js';

const failures: Record<string, () => unknown> = {
  user: () => {
    throw new UserError(ExitCode.transferIncomplete, 'wrong', 'do this', { cause: new Error('why') });
  },
  protocol: () => {
    throw new ProtocolError('rude');
  },
  digest: () => {
    throw new DigestMismatchError('d/a');
  },
  changed: () => {
    throw new SourceChangedError('d/b');
  },
  system: () => readFileSync('/nowhere'),
};

let shared: Int32Array = new Int32Array();

export type TryingCalls = typeof calls;
export type MainAnswers = { double(value: number): number; refuse(): void };

const calls = {
  add: (a: number, b: number) => a + b,
  async later(ms: number) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ms;
  },
  fail: (how: string) => failures[how]?.(),
  crash: () => {
    setImmediate(() => {
      throw new Error('crashed');
    });
    return new Promise<void>(() => {});
  },
  hang: () => {
    for (;;);
  },
  share: (memory: Int32Array) => {
    shared = memory;
  },
  fill: (value: number) => {
    shared.fill(value);
  },
  doubleIn: (memory: ArrayBuffer) => {
    const numbers = new Uint8Array(memory);
    numbers.set(numbers.map((number) => 2 * number));
    return { memory };
  },
  askDoubles: (upTo: number) =>
    Array.from({ length: upTo }, (_, n) => askMainThread<MainAnswers, 'double'>('double', n)),
  askRefused: () => askMainThread<MainAnswers, 'refuse'>('refuse'),
};

serveCalls(calls);
