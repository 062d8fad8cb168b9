import { FILE_END_COST } from '../../../protocol/constants.js';
import { DATA_HEAD_BYTES } from '../../../protocol/data-frames.js';
import { ProtocolError } from '../../../protocol/errors.js';
import type { Link } from '../../../protocol/link.js';
import type { ManifestEntry, Want } from '../../../protocol/messages.js';
import { SKIP, WHOLE_FILES } from '../../../protocol/peer-handshake.js';
import { SHA256_BYTES } from '../../files/running-digest.js';
import type { Piece, Sending } from '../../files/sending.js';
import { type WholeFileAt, wholeFilesIn } from '../../files/whole-files.js';
import type { SessionEvent } from '../events.js';
import { collectLessOftenFor, keepYoungGeneration } from '../heap-growth.js';
import { ProgressReport } from './progress-report.js';
import { SendWindow } from './send-window.js';

/** A message must not wait behind more than this of what one transfer has handed to the network stack. */
const MAX_BUFFERED = 64 * 1024;
/** What would fill much of a small window goes out in frames of this size, so that the window is kept to closely. */
const SLICE_BYTES = 32 * 1024;
/** How many frames a window must have room for that are sent as they were read. */
const FRAMES_IN_WINDOW = 8;

/** One stream of data: answers one Want over one link, as fast as the receiver takes it in. */
export class SendingRun {
  readonly transfer: string;
  readonly #link: Link;
  readonly #want: Want;
  readonly #sending: Sending;
  readonly #entries: readonly ManifestEntry[];
  readonly #window: SendWindow;
  readonly #progress: ProgressReport;
  readonly #onSkip: (file: string, why: Error) => void;
  readonly #maySkip: boolean;
  readonly #meanFileBytes: number;
  readonly #stopping = new AbortController();
  #base = 0;
  #sent = 0;
  #consumed = 0;
  /** How much had been sent, all told, when each file ended that the receiver has not yet taken in. */
  readonly #fileEnds: number[] = [];
  #filesTakenIn = 0;
  #entry = 0;
  /** How far the present file has been sent. */
  #at = 0;
  #wake: () => void = () => {};
  /** Frames that the network stack has not yet taken. */
  #lent = 0;
  readonly #giveBack = () => {
    this.#lent -= 1;
    this.#wake();
  };

  /** `total`: bytes of the whole transfer. `onSkip`: the receiver was told that it does not get this file. */
  constructor(o: {
    link: Link;
    want: Want;
    total: number;
    sending: Sending;
    emit(event: SessionEvent): void;
    onSkip(file: string, why: Error): void;
  }) {
    this.transfer = o.want.transfer;
    this.#link = o.link;
    this.#want = o.want;
    this.#sending = o.sending;
    this.#entries = o.sending.entries;
    this.#onSkip = o.onSkip;
    const files = o.sending.entries.filter(({ directory }) => !directory);
    this.#maySkip = files.length > 1 && o.link.facts.hello.features.includes(SKIP);
    this.#meanFileBytes = o.total / files.length;
    this.#window = new SendWindow(() => o.link.minRttMs);
    this.#progress = new ProgressReport(this.transfer, o.total, o.emit);
  }

  /** Of the whole transfer, on the receiver's side. */
  get bytes(): number {
    return this.#base + this.#consumed - this.#filesTakenIn * FILE_END_COST;
  }

  stop(): void {
    this.#stopping.abort(new Error('the stream was stopped'));
    this.#wake();
  }

  /** The receiver has all of it. */
  finish(): void {
    this.#progress.finish(this.#nameOf(this.#entry));
  }

  /** The network stack or the receiver may have taken something. */
  wake(): void {
    this.#wake();
  }

  consumed(total: number): void {
    if (!this.#window.consumed(total, performance.now())) throw new ProtocolError('more was consumed than was sent');
    this.#consumed = Math.max(this.#consumed, total);
    while ((this.#fileEnds[0] ?? Number.POSITIVE_INFINITY) <= this.#consumed) {
      this.#fileEnds.shift();
      this.#filesTakenIn += 1;
    }
    this.#progress.update(this.#nameOf(this.#entry), this.bytes);
    this.#wake();
  }

  /**
   * Ends when all is sent, or quietly when stopped. Rejects as Sending does, and with what is wrong with a file if there is
   * no other, or the receiver cannot do without it.
   */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    const wholeFiles = this.#link.facts.hello.features.includes(WHOLE_FILES);
    try {
      for await (const pieces of this.#sending.pieces(this.#want, signal, wholeFiles)) {
        for (const piece of pieces) await this.#send(piece);
        // What follows is read into the same memory.
        await this.#until(() => this.#lent === 0);
        if (signal.aborted) return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #send(piece: Piece): Promise<void> {
    const { stream } = this.#want;
    if (piece.kind !== 'skip') this.#entry = piece.entry;
    switch (piece.kind) {
      case 'resume':
        keepYoungGeneration(this.#meanFileBytes);
        collectLessOftenFor(this.#link.facts.path, this.#meanFileBytes);
        this.#at = piece.offset;
        this.#base = piece.offset + this.#entries.slice(0, piece.entry).reduce((sum, { size }) => sum + size, 0);
        this.#link.send({ kind: 'resume', stream, entry: piece.entry, offset: piece.offset });
        break;
      case 'data':
        await this.#sendData(piece);
        this.#at = piece.offset + piece.frame.length - DATA_HEAD_BYTES;
        break;
      case 'wholeFiles':
        await this.#sendWholeFiles(piece);
        break;
      case 'fileEnd':
        await this.#untilAllowed();
        if (this.#stopping.signal.aborted) return;
        this.#link.send({ kind: 'fileEnd', stream, entry: piece.entry, size: piece.size, sha256: piece.sha256 });
        this.#countFileEnd();
        this.#at = 0;
        break;
      case 'skip':
        if (!this.#maySkip) throw piece.why;
        await this.#untilAllowed();
        if (this.#stopping.signal.aborted) return;
        this.#link.send({ kind: 'skip', stream, entry: piece.entry });
        this.#base += (this.#entries[piece.entry]?.size ?? 0) - this.#at;
        this.#at = 0;
        this.#onSkip(this.#nameOf(piece.entry), piece.why);
        break;
    }
  }

  async #sendData({ entry, offset, frame }: Extract<Piece, { kind: 'data' }>): Promise<void> {
    const { stream } = this.#want;
    const content = frame.subarray(DATA_HEAD_BYTES);
    await this.#untilAllowed();
    if (this.#fitsUncut(content.length)) {
      this.#lend(entry, offset, frame);
      this.#count(content.length);
      return;
    }
    for (let at = 0; at < content.length; at += SLICE_BYTES) {
      const slice = content.subarray(at, at + SLICE_BYTES);
      await this.#untilAllowed();
      if (this.#stopping.signal.aborted) return;
      this.#link.sendData(stream, entry, offset + at, slice);
      this.#count(slice.length);
    }
  }

  async #sendWholeFiles({ entry: first, frame }: Extract<Piece, { kind: 'wholeFiles' }>): Promise<void> {
    const content = frame.subarray(DATA_HEAD_BYTES);
    const files = [...wholeFilesIn(this.#entries, first, content.length)];
    await this.#untilAllowed();
    if (this.#fitsUncut(costOf(files))) {
      this.#lend(first, 0, frame);
      this.#countFiles(files);
      return;
    }
    for (const slice of sliced(files)) {
      await this.#untilAllowed();
      const [begin, end] = [slice[0], slice.at(-1)];
      if (this.#stopping.signal.aborted || !begin || !end) return;
      const bytes = content.subarray(begin.at, end.at + end.size + SHA256_BYTES);
      this.#link.sendData(this.#want.stream, begin.entry, 0, bytes);
      this.#countFiles(slice);
    }
  }

  #fitsUncut(length: number): boolean {
    return length <= SLICE_BYTES || length <= this.#window.size / FRAMES_IN_WINDOW;
  }

  /** The frame is sent from where it lies. */
  #lend(entry: number, offset: number, frame: Buffer): void {
    if (this.#stopping.signal.aborted) return;
    this.#lent += 1;
    this.#link.sendDataFrame(this.#want.stream, entry, offset, frame, this.#giveBack);
  }

  #count(bytes: number): void {
    this.#sent += bytes;
    this.#window.sent(bytes, performance.now());
  }

  #countFiles(files: readonly WholeFileAt[]): void {
    for (const { size } of files) {
      this.#count(size);
      this.#countFileEnd();
    }
  }

  #countFileEnd(): void {
    this.#count(FILE_END_COST);
    this.#fileEnds.push(this.#sent);
  }

  async #untilAllowed(): Promise<void> {
    await this.#until(() => this.#window.allowance > 0 && this.#link.bufferedBytes <= MAX_BUFFERED);
  }

  /** Or until stopped. */
  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #nameOf(entry: number): string {
    return this.#entries[entry]?.path ?? '';
  }
}

/** What they count for in the window. */
function costOf(files: readonly WholeFileAt[]): number {
  return files.reduce((sum, { size }) => sum + size + FILE_END_COST, 0);
}

/** As many in each as make a slice. */
function sliced(files: readonly WholeFileAt[]): WholeFileAt[][] {
  const slices: WholeFileAt[][] = [];
  for (const file of files) {
    const last = slices.at(-1);
    if (last && costOf(last) + costOf([file]) <= SLICE_BYTES) last.push(file);
    else slices.push([file]);
  }
  return slices;
}
