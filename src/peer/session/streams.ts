import type { DataChunk } from '../../protocol/data-frames.js';
import type { Link } from '../../protocol/link.js';
import type { ContentMessage } from './links.js';
import { PIPE_STREAM, type Pipe } from './pipe.js';
import { PipeMatch } from './pipe-match.js';
import type { Transfers } from './transfers/transfers.js';

export type StreamMessage = Exclude<ContentMessage, { kind: 'item' | 'ack' | 'remember' }>;

/** The byte streams beside the items, files' and the pipe's: finds whose each message and each piece of data is. */
export class Streams {
  readonly #transfers: Transfers;
  readonly #match: PipeMatch;
  #pipe: Pipe | null = null;

  /** `onPipeMismatch`: one side runs a pipe and the other does not; whose it is. */
  constructor(transfers: Transfers, onPipeMismatch: (whose: 'me' | 'peer') => void) {
    this.#transfers = transfers;
    this.#match = new PipeMatch(onPipeMismatch);
  }

  /** Runs from the next link on. */
  attachPipe(pipe: Pipe): void {
    this.#pipe = pipe;
    this.#match.attachPipe();
  }

  start(link: Link): void {
    this.#transfers.start(link);
    this.#pipe?.start(link);
    this.#match.start(link);
  }

  stop(): void {
    this.#transfers.stop();
    this.#pipe?.stop();
    this.#match.stop();
  }

  /** What is on its way to a program that has ended is of no use to its next run, unless it is on that one's disk. */
  peerLeft(): void {
    this.#pipe?.peerLeft();
  }

  async close(): Promise<void> {
    this.#pipe?.close();
    this.#match.stop();
    await this.#transfers.close();
  }

  drained(): void {
    this.#transfers.outgoing.drained();
    this.#pipe?.drained();
  }

  message(message: StreamMessage): void {
    switch (message.kind) {
      case 'pipeWant':
        this.#match.peerRunsPipe();
        this.#pipe?.message(message);
        break;
      case 'pipeEnd':
      case 'pipeDone':
        this.#pipe?.message(message);
        break;
      case 'consumed':
        if (message.stream === PIPE_STREAM) this.#pipe?.consumed(message.bytes);
        else this.#transfers.message(message);
        break;
      default:
        this.#transfers.message(message);
    }
  }

  data(chunk: DataChunk): void {
    if (chunk.stream === PIPE_STREAM) this.#pipe?.data(chunk);
    else this.#transfers.data(chunk);
  }
}
