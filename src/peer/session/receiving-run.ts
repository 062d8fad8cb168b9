import { FILE_END_COST } from '../../protocol/constants.js';
import type { DataChunk } from '../../protocol/data-frames.js';
import { ProtocolError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { PeerMessage } from '../../protocol/messages.js';
import { MAX_GROUP, type ReceivedFile, type Receiving, type WholeFile } from '../files/receiving.js';

type Step =
  | { kind: 'data'; entry: number; offset: number; parts: Buffer[]; length: number }
  | Extract<PeerMessage, { kind: 'resume' | 'fileEnd' }>;

interface Whole extends WholeFile {
  entry: number;
  length: number;
  /** How many steps it came in. */
  steps: number;
}

export interface ReceivingRunHandlers {
  onProgress(entry: number): void;
  onFile(file: ReceivedFile): void;
  /** Everything is in place. */
  onComplete(): void;
  onFailure(error: unknown): void;
}

/** An honest sender's window is smaller: this stops one that takes no notice of what was consumed. */
const MAX_WAITING_BYTES = 24 * 1024 * 1024;
const MAX_WAITING_STEPS = 20_000;
/** A piece of a few bytes would keep all of the network's chunk in memory that it came in: so small ones are copied. */
const COPIED_BELOW_BYTES = 4 * 1024;
/** More in one write gains nothing. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/** One stream of data coming in over one link, written in the order in which it arrived. */
export class ReceivingRun {
  readonly transfer: string;
  readonly stream: number;
  readonly #link: Link;
  readonly #receiving: Receiving;
  readonly #handlers: ReceivingRunHandlers;
  readonly #steps: Step[] = [];
  #waitingBytes = 0;
  #consumed = 0;
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #isHolding = false;
  #stopped = false;
  #resumed = false;

  constructor(o: {
    transfer: string;
    stream: number;
    link: Link;
    receiving: Receiving;
    handlers: ReceivingRunHandlers;
  }) {
    this.transfer = o.transfer;
    this.stream = o.stream;
    this.#link = o.link;
    this.#receiving = o.receiving;
    this.#handlers = o.handlers;
  }

  /** Says what is wanted; the sender streams from there. */
  async start(): Promise<void> {
    const { entry, checkpoints } = await this.#receiving.want();
    if (this.#stopped) return;
    for (const file of this.#receiving.recovered) this.#handlers.onFile(file);
    if (this.#receiving.finished) return this.#complete();
    this.#link.send({ kind: 'want', transfer: this.transfer, stream: this.stream, entry, checkpoints });
  }

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#steps.length = 0;
    this.#letFlow();
    await this.#writing;
  }

  data(chunk: DataChunk): void {
    this.#waitingBytes += chunk.length;
    const parts = chunk.length < COPIED_BELOW_BYTES ? [Buffer.concat(chunk.parts)] : chunk.parts;
    this.#push({ kind: 'data', ...chunk, parts });
  }

  step(message: Extract<PeerMessage, { kind: 'resume' | 'fileEnd' }>): void {
    this.#push(message);
  }

  #push(step: Step): void {
    if (this.#stopped) return;
    this.#steps.push(step);
    if (this.#isFull()) this.#hold();
    if (!this.#isWriting) this.#writing = this.#work();
  }

  #isFull(): boolean {
    return this.#waitingBytes > MAX_WAITING_BYTES || this.#steps.length > MAX_WAITING_STEPS;
  }

  #hold(): void {
    this.#isHolding = true;
    this.#link.pause();
  }

  #letFlow(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#link.resume();
  }

  async #work(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#steps.length > 0 && !this.#stopped) {
        const whole = this.#resumed ? this.#wholeFiles() : [];
        if (whole.length > 0) await this.#takeWhole(whole);
        else await this.#takeOne();
        if (!this.#isFull()) this.#letFlow();
      }
    } catch (error) {
      if (this.#stopped) return;
      this.#stopped = true;
      this.#letFlow();
      this.#handlers.onFailure(error);
    } finally {
      this.#isWriting = false;
    }
  }

  async #takeOne(): Promise<void> {
    const step = this.#steps.shift();
    if (!step) return;
    if (step.kind === 'resume') {
      if (this.#resumed) throw new ProtocolError('a stream resumed twice');
      this.#resumed = true;
      return this.#receiving.resume(step.entry, step.offset);
    }
    if (!this.#resumed) throw new ProtocolError(`${step.kind} before resume`);
    if (step.kind === 'data') return this.#write(step);
    this.#handlers.onFile(await this.#receiving.fileEnd(step.entry, step.size, step.sha256));
    this.#tellConsumed(FILE_END_COST);
    if (this.#receiving.finished) await this.#complete();
  }

  /** The files all of which came meanwhile. */
  #wholeFiles(): Whole[] {
    const files: Whole[] = [];
    let bytes = 0;
    for (let at = 0; files.length < MAX_GROUP; ) {
      const file = this.#wholeFileAt(at);
      if (!file || (files[0] && file.entry !== files[0].entry + files.length)) break;
      bytes += file.length;
      if (bytes > MAX_BATCH_BYTES) break;
      at += file.steps;
      files.push(file);
    }
    return files;
  }

  #wholeFileAt(at: number): Whole | null {
    const entry = entryOf(this.#steps[at]);
    const parts: Buffer[] = [];
    let length = 0;
    let end = at;
    for (let step = this.#steps[end]; step?.kind === 'data'; step = this.#steps[end]) {
      if (step.entry !== entry || step.offset !== length) return null;
      parts.push(...step.parts);
      length += step.length;
      end += 1;
    }
    const last = this.#steps[end];
    if (last?.kind !== 'fileEnd' || last.entry !== entry || last.size !== length) return null;
    return { entry, parts, length, sha256: last.sha256, steps: end + 1 - at };
  }

  async #takeWhole(files: Whole[]): Promise<void> {
    const first = files[0]?.entry ?? 0;
    const received = await this.#receiving.whole(first, files);
    const done = files.slice(0, received.length);
    this.#steps.splice(
      0,
      done.reduce((sum, { steps }) => sum + steps, 0),
    );
    const bytes = done.reduce((sum, { length }) => sum + length, 0);
    this.#waitingBytes -= bytes;
    for (const file of received) this.#handlers.onFile(file);
    this.#tellConsumed(bytes + done.length * FILE_END_COST);
    this.#handlers.onProgress(first + done.length - 1);
    if (this.#receiving.finished) await this.#complete();
  }

  async #write(first: Extract<Step, { kind: 'data' }>): Promise<void> {
    const batch = this.#batch(first);
    await this.#receiving.write(first.entry, first.offset, batch.parts);
    if (this.#stopped) return;
    this.#waitingBytes -= batch.length;
    this.#tellConsumed(batch.length);
    this.#handlers.onProgress(first.entry);
  }

  #tellConsumed(bytes: number): void {
    this.#consumed += bytes;
    this.#link.send({ kind: 'consumed', stream: this.stream, bytes: this.#consumed });
  }

  /** What came meanwhile and continues `first` is written with it, in one call. */
  #batch(first: Extract<Step, { kind: 'data' }>): { parts: Buffer[]; length: number } {
    const parts = [...first.parts];
    let { length } = first;
    for (let next = this.#steps[0]; next?.kind === 'data'; next = this.#steps[0]) {
      const continues = next.entry === first.entry && next.offset === first.offset + length;
      if (!continues || length + next.length > MAX_BATCH_BYTES) break;
      parts.push(...next.parts);
      length += next.length;
      this.#steps.shift();
    }
    return { parts, length };
  }

  async #complete(): Promise<void> {
    await this.#receiving.complete();
    this.#stopped = true;
    // Also if it was stopped meanwhile: everything is in place, and there is nothing to go on with.
    this.#handlers.onComplete();
  }
}

function entryOf(step: Step | undefined): number {
  return step?.entry ?? -1;
}
