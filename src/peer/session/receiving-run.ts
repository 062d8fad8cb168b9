import { FILE_END_COST } from '../../protocol/constants.js';
import type { DataChunk } from '../../protocol/data-frames.js';
import { ProtocolError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { PeerMessage } from '../../protocol/messages.js';
import type { ReceivedFile, Receiving } from '../files/receiving.js';

type Step =
  | { kind: 'data'; entry: number; offset: number; parts: Buffer[]; length: number }
  | Extract<PeerMessage, { kind: 'resume' | 'fileEnd' }>;

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
    if (this.#receiving.recovered) this.#handlers.onFile(this.#receiving.recovered);
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
      for (let step = this.#steps.shift(); step && !this.#stopped; step = this.#steps.shift()) {
        await this.#take(step);
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

  async #take(step: Step): Promise<void> {
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
