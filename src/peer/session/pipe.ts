import type { Readable, Writable } from 'node:stream';
import type { DataChunk } from '../../protocol/data-frames.js';
import { ExitCode, errorCode, ProtocolError, UserError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { PeerMessage } from '../../protocol/messages.js';
import { describeSystemError } from '../../shared/system-error.js';
import { collectLessOften } from './heap-growth.js';
import { SendWindow } from './transfers/send-window.js';
import { UnconsumedBytes } from './unconsumed-bytes.js';

export type PipeMessage = Extract<PeerMessage, { kind: 'pipeWant' | 'pipeEnd' | 'pipeDone' }>;

export interface PipeOptions {
  /** Null: there is nothing to send. */
  input: Readable | null;
  output: Writable;
  /** All of both streams has arrived, and the other side knows it or had time enough to learn it. */
  onDone(): void;
  onBroken(error: UserError): void;
}

/** In data frames; transfers count theirs from 1. */
export const PIPE_STREAM = 0;

const SLICE_BYTES = 64 * 1024;
const MAX_BUFFERED = 128 * 1024;
/** Enough to go on with. What was sent is kept beside it until it is taken in, as much as the window lets out. */
const MAX_UNSENT = 1024 * 1024;
const MAX_UNWRITTEN = 24 * 1024 * 1024;
/** Each write that waits costs memory of its own, however few bytes it has. */
const MAX_UNWRITTEN_PIECES = 16_384;
/** How long the other side may take to hear that all has arrived, if the link breaks just then. */
const LINGER_MS = 10_000;

/**
 * One byte stream each way over the session, whatever becomes of its links: what the peer has not taken in is kept, and
 * sent again over the next link from the byte that the peer wants. It lives as long as both processes.
 */
export class Pipe {
  readonly #o: PipeOptions;
  readonly #mine: UnconsumedBytes = new UnconsumedBytes();
  #inputEnded = false;
  #sentTo = 0;
  #sending: { link: Link; from: number; window: SendWindow; endTold: boolean } | null = null;
  #link: Link | null = null;
  #received = 0;
  #written = 0;
  #unwrittenPieces = 0;
  #wantedFrom = 0;
  #peerLength: number | null = null;
  #doneTold = false;
  #linger: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: PipeOptions) {
    this.#o = options;
    const { input, output } = options;
    output.on('error', (error) => this.#break(wrongWithOutput(error), 'The rest was not received.'));
    if (!input) {
      this.#inputEnded = true;
      return;
    }
    input.on('data', (bytes: Buffer) => this.#read(bytes));
    input.on('end', () => {
      this.#inputEnded = true;
      this.#flush();
    });
    input.on('error', (error) => this.#break(`the input cannot be read: ${error.message}`, 'Start again.'));
  }

  start(link: Link): void {
    collectLessOften();
    this.#link = link;
    this.#wantedFrom = this.#received;
    link.send({ kind: 'pipeWant', offset: this.#received });
  }

  stop(): void {
    this.#link = null;
    this.#sending = null;
  }

  /** The other program has ended. Another run of it can take its place only while nothing has been taken in. */
  peerLeft(): void {
    const hasBegun = this.#received > 0 || this.#mine.start > 0 || this.#peerLength !== null;
    if (this.#isComplete()) this.#finish();
    else if (hasBegun) this.#break('the other side ended in the middle', 'Start both sides again.');
  }

  /** Nothing is read, written or waited for any more. */
  close(): void {
    this.#over = true;
    this.stop();
    clearTimeout(this.#linger);
    this.#o.input?.pause();
  }

  message(message: PipeMessage): void {
    switch (message.kind) {
      case 'pipeWant':
        this.#want(message.offset);
        break;
      case 'pipeEnd':
        if (message.length < this.#received) throw new ProtocolError('a pipe that ends before what it sent');
        this.#peerLength = message.length;
        this.#settle();
        break;
      case 'pipeDone':
        if (this.#isComplete()) this.#finish();
        break;
    }
  }

  /** `bytes`: taken in by the peer since it said what it wants over this link. */
  consumed(bytes: number): void {
    if (!this.#sending) return;
    if (!this.#sending.window.consumed(bytes, performance.now()))
      throw new ProtocolError('more was consumed than was sent');
    this.#mine.consume(this.#sending.from + bytes);
    this.#flush();
    this.#settle();
  }

  data(chunk: DataChunk): void {
    if (chunk.entry !== 0 || chunk.offset !== this.#received) throw new ProtocolError('a pipe with a gap');
    if (this.#peerLength !== null && chunk.offset + chunk.content.length > this.#peerLength) {
      throw new ProtocolError('a pipe that goes on after its end');
    }
    const link = this.#link;
    this.#received += chunk.content.length;
    this.#unwrittenPieces += 1;
    const { content } = chunk;
    this.#o.output.write(content, () => this.#wrote(content.length, link));
    if (this.#isFull()) link?.pause();
  }

  drained(): void {
    this.#flush();
  }

  #read(bytes: Buffer): void {
    this.#mine.push(bytes);
    this.#flush();
    if (this.#isAhead()) this.#o.input?.pause();
  }

  #isAhead(): boolean {
    return this.#mine.end - this.#sentTo >= MAX_UNSENT;
  }

  #want(offset: number): void {
    const link = this.#link;
    if (!link) return;
    if (offset > this.#mine.end) throw new ProtocolError('a pipe wanted beyond its end');
    if (offset < this.#mine.start) {
      this.#break('the other side was started anew in the middle', 'Start both sides again.');
      return;
    }
    this.#mine.consume(offset);
    this.#sentTo = offset;
    this.#sending = { link, from: offset, window: new SendWindow(() => link.minRttMs), endTold: false };
    this.#flush();
    this.#settle();
  }

  #flush(): void {
    const sending = this.#sending;
    if (!sending || this.#over) return;
    const { link, window } = sending;
    while (this.#sentTo < this.#mine.end && window.allowance > 0 && link.bufferedBytes <= MAX_BUFFERED) {
      const slice = this.#mine.slice(this.#sentTo, SLICE_BYTES);
      link.sendData(PIPE_STREAM, 0, this.#sentTo, slice);
      window.sent(slice.length, performance.now());
      this.#sentTo += slice.length;
    }
    if (!this.#isAhead()) this.#o.input?.resume();
    if (this.#inputEnded && this.#sentTo === this.#mine.end && !sending.endTold) {
      sending.endTold = true;
      link.send({ kind: 'pipeEnd', length: this.#mine.end });
      if (this.#doneTold) link.send({ kind: 'pipeDone' });
    }
  }

  #wrote(bytes: number, link: Link | null): void {
    this.#written += bytes;
    this.#unwrittenPieces -= 1;
    if (this.#over) return;
    if (!this.#isFull()) this.#link?.resume();
    // Counted from what was wanted over this very link; over a former one it is no longer of interest.
    if (link && link === this.#link && this.#written > this.#wantedFrom) {
      link.send({ kind: 'consumed', stream: PIPE_STREAM, bytes: this.#written - this.#wantedFrom });
    }
    this.#settle();
  }

  #isFull(): boolean {
    return this.#received - this.#written > MAX_UNWRITTEN || this.#unwrittenPieces > MAX_UNWRITTEN_PIECES;
  }

  #isComplete(): boolean {
    const mineIsThere = this.#inputEnded && this.#mine.size === 0;
    return mineIsThere && this.#peerLength !== null && this.#written === this.#peerLength;
  }

  #settle(): void {
    if (!this.#isComplete() || this.#doneTold || this.#over || !this.#sending?.endTold) return;
    this.#doneTold = true;
    this.#link?.send({ kind: 'pipeDone' });
    this.#linger = setTimeout(() => this.#finish(), LINGER_MS);
  }

  #finish(): void {
    if (this.#over) return;
    // The other side must be able to end as well, whichever of us was first.
    if (!this.#doneTold) this.#link?.send({ kind: 'pipeDone' });
    this.close();
    this.#o.onDone();
  }

  #break(message: string, hint: string): void {
    if (this.#over) return;
    this.close();
    this.#o.onBroken(new UserError(ExitCode.transferIncomplete, message, hint));
  }
}

function wrongWithOutput(error: unknown): string {
  if (errorCode(error) === 'EPIPE') return 'nobody reads the output any more';
  return `the output cannot be written: ${describeSystemError(error)}`;
}
