import type { DataChunk } from '../../../protocol/data-frames.js';
import { giveBackMemory } from '../../../protocol/frame-memory.js';
import type { Link } from '../../../protocol/link.js';
import type { PeerMessage } from '../../../protocol/messages.js';
import type { Step } from '../../files/batch.js';
import type { ReceivedFile } from '../../files/receiving.js';
import { type ReceivingSlot, SLOT_BYTES } from '../../files/receiving-slots.js';
import type { ThreadedReceiving } from '../../files/receiving-thread.js';
import { unpackError } from '../../files/thread/crossing-error.js';

/** What is said of a file beside its data. */
export type FileStep = Extract<PeerMessage, { kind: 'resume' | 'fileEnd' | 'skip' }>;

type Waiting = { kind: 'data'; entry: number; offset: number; content: Buffer } | FileStep;

export interface ReceivingRunHandlers {
  onProgress(entry: number): void;
  onFile(file: ReceivedFile): void;
  /** The sender leaves it out. */
  onSkip(entry: number): void;
  /** Everything that was not left out is in place. */
  onComplete(): void;
  onFailure(error: unknown): void;
}

/** More than this is left to the network: a sender whose disk is faster would fill our memory up to its window. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const MAX_WAITING_STEPS = 20_000;
/** Less than this is worth waiting for a moment, while nothing is being written: small files cost less together. */
const WORTHWHILE_BYTES = 256 * 1024;
const MOMENT_MS = 2;
/** The beginning of a small file waits for its end in the next batch: a file that comes in one piece costs less. */
const HELD_BACK_BYTES = 64 * 1024;

/** One stream of data coming in over one link, written in the order in which it arrived. */
export class ReceivingRun {
  readonly transfer: string;
  readonly stream: number;
  readonly #link: Link;
  readonly #receiving: ThreadedReceiving;
  readonly #handlers: ReceivingRunHandlers;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #consumed = 0;
  readonly #underway = new Set<Promise<void>>();
  #moment: NodeJS.Timeout | null = null;
  /** One for all times: it is kept once, however often it has to wait for a slot. */
  readonly #onSlotFree = () => this.#handOver();
  #isHolding = false;
  #stopped = false;

  constructor(o: {
    transfer: string;
    stream: number;
    link: Link;
    receiving: ThreadedReceiving;
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
    this.#waiting.length = 0;
    if (this.#moment) clearTimeout(this.#moment);
    this.#letFlow();
    await Promise.all(this.#underway);
  }

  data(chunk: DataChunk): void {
    this.#waitingBytes += chunk.content.length;
    this.#push({ kind: 'data', ...chunk });
  }

  step(message: FileStep): void {
    this.#push(message);
  }

  #push(waiting: Waiting): void {
    if (this.#stopped) return;
    this.#waiting.push(waiting);
    if (this.#isFull()) this.#hold();
    this.#handOverSoon();
  }

  #isFull(): boolean {
    return this.#waitingBytes > MAX_WAITING_BYTES || this.#waiting.length > MAX_WAITING_STEPS;
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

  #handOverSoon(): void {
    if (this.#waitingBytes >= WORTHWHILE_BYTES) this.#handOver();
    else this.#moment ??= setTimeout(() => this.#handOver(), MOMENT_MS);
  }

  /** While something is being written, the next batch grows. */
  #handOver(): void {
    if (this.#moment) clearTimeout(this.#moment);
    this.#moment = null;
    while (!this.#stopped && this.#waiting.length > 0 && this.#isWorthwhile()) {
      const slot = this.#receiving.takeSlot(this.#onSlotFree);
      if (!slot) return;
      const taking = this.#take(this.#fill(slot), slot).finally(() => {
        this.#underway.delete(taking);
        slot.giveBack();
        if (this.#waiting.length > 0) this.#handOverSoon();
      });
      this.#underway.add(taking);
    }
  }

  #isWorthwhile(): boolean {
    return this.#underway.size === 0 || this.#waitingBytes >= SLOT_BYTES;
  }

  #fill(slot: ReceivingSlot): Step[] {
    const steps: Step[] = [];
    for (const waiting of this.#waiting.splice(0, this.#batchLength())) {
      const last = steps.at(-1);
      if (waiting.kind === 'resume') steps.push({ kind: 'resume', entry: waiting.entry, offset: waiting.offset });
      else if (waiting.kind === 'skip') steps.push({ kind: 'skip', entry: waiting.entry });
      else if (waiting.kind === 'fileEnd') steps.push({ ...waiting, sha256: waiting.sha256.toString('hex') });
      else {
        const { entry, offset, content } = waiting;
        const { length } = content;
        const at = slot.add(content);
        giveBackMemory(content);
        this.#waitingBytes -= length;
        const continues = last?.kind === 'data' && last.entry === entry && last.offset + last.length === offset;
        if (continues) last.length += length;
        else steps.push({ kind: 'data', entry, offset, at, length });
      }
    }
    if (!this.#isFull()) this.#letFlow();
    return steps;
  }

  /** How many of those waiting go into one batch. */
  #batchLength(): number {
    let bytes = 0;
    let sinceEnd = 0;
    let ended = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (waiting.kind === 'data') {
        bytes += waiting.content.length;
        sinceEnd += waiting.content.length;
        if (bytes > SLOT_BYTES) break;
      }
      count += 1;
      if (waiting.kind !== 'fileEnd' && waiting.kind !== 'skip') continue;
      ended = count;
      sinceEnd = 0;
    }
    return ended > 0 && sinceEnd < HELD_BACK_BYTES ? ended : count;
  }

  async #take(steps: Step[], slot: ReceivingSlot): Promise<void> {
    try {
      const { received, skipped, consumed, failure } = await this.#receiving.take(steps, slot);
      for (const file of received) this.#handlers.onFile(file);
      for (const entry of skipped) this.#handlers.onSkip(entry);
      if (failure) throw unpackError(failure);
      const last = steps.findLast(({ kind }) => kind !== 'skip');
      if (!this.#stopped && last) this.#tellConsumed(consumed, last.entry);
      if (this.#receiving.finished) await this.#complete();
    } catch (error) {
      if (this.#stopped) return;
      this.#stopped = true;
      this.#letFlow();
      this.#handlers.onFailure(error);
    }
  }

  #tellConsumed(bytes: number, entry: number): void {
    this.#consumed += bytes;
    this.#link.send({ kind: 'consumed', stream: this.stream, bytes: this.#consumed });
    this.#handlers.onProgress(entry);
  }

  async #complete(): Promise<void> {
    await this.#receiving.complete();
    this.#stopped = true;
    // Also if it was stopped meanwhile: everything is in place, and there is nothing to go on with.
    this.#handlers.onComplete();
  }
}
