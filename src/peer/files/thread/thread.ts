import { MessageChannel, Worker } from 'node:worker_threads';
import { ExitCode, UserError } from '../../../protocol/errors.js';
import {
  type Answer,
  type Asked,
  type Call,
  type Calls,
  movedAmong,
  performNow,
  type Questions,
  settle,
  type Told,
} from './calls.js';

/** Enough for a thread's own work: what it moves in bulk lies in shared memory or outside of the heap. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

/**
 * A thread that does what it is asked by calls, many of which may be under way, so that disks and hashes never stop
 * messages and the screen. It does not keep the process alive while it has nothing to do.
 */
export class Thread<Served extends Calls> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  #calls = 0;
  #stopping = false;
  #ended = false;

  /** `file`: a script that calls serveCalls(). `answers`: what it may ask of this thread, answered at once. */
  constructor(file: URL, answers: Calls = {}) {
    const { port1, port2 } = new MessageChannel();
    const questions: Questions = { port: port2, answered: new Int32Array(new SharedArrayBuffer(4)) };
    this.#worker = new Worker(file, {
      workerData: questions,
      transferList: [port2],
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: LIMITS,
    });
    this.#worker.on('message', (answer: Answer) => this.#waiting.get(answer.number)?.resolve(answer));
    // Its end follows, and that is what counts.
    this.#worker.on('error', () => {});
    this.#worker.on('exit', () => this.#end());
    port1.on('message', (question: Call) => {
      port1.postMessage(performNow(answers, question));
      Atomics.add(questions.answered, 0, 1);
      Atomics.notify(questions.answered, 0);
    });
    // Listening has made both keep the process alive.
    this.#worker.unref();
    port1.unref();
  }

  /** It does nothing any more, and what it held is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Rejects as the call does over there; with a UserError (7) if the thread ends before it has answered. */
  async call<Name extends keyof Served & string>(
    name: Name,
    ...args: Asked<Served, Name>
  ): Promise<Told<Served, Name>> {
    if (this.#ended) throw hasEnded();
    this.#calls += 1;
    const call: Call = { number: this.#calls, name, args };
    this.#worker.postMessage(call, movedAmong(args));
    this.#worker.ref();
    try {
      const answer = await new Promise<Answer>((resolve, reject) =>
        this.#waiting.set(call.number, { resolve, reject }),
      );
      return settle(answer) as Told<Served, Name>;
    } finally {
      this.#waiting.delete(call.number);
      // Whoever waits for its end keeps the process alive until then.
      if (this.#waiting.size === 0 && !this.#stopping) this.#worker.unref();
    }
  }

  /** Ends it at once, whatever it is doing; its files are closed when this resolves. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker.terminate();
  }

  #end(): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.values()) reject(hasEnded());
  }
}

function hasEnded(): UserError {
  const hint = 'The transfer then goes on where it stopped.';
  return new UserError(ExitCode.transferIncomplete, 'the part of this program that works on files has failed', hint);
}
