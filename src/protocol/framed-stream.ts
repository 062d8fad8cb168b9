import type { Duplex } from 'node:stream';
import { type DataChunk, decodeData, encodeData, writeDataHeader } from './data-frames.js';
import { errorCode, errorMessage, LinkClosedError, ProtocolError } from './errors.js';
import { encodeFrame, FrameReader, FrameType } from './frames.js';
import { lendReads } from './lent-reads.js';
import type { Codec } from './wire.js';

export interface StreamHandlers<Message> {
  onMessage(message: Message): void;
  /** Without it, data frames break the protocol. */
  onData?(chunk: DataChunk): void;
  /** Called once, last. A ProtocolError if the other end broke the rules, else a LinkClosedError. */
  onClose(reason: Error): void;
}

/** How long the other end may take to hear our last words. */
const LINGER_MS = 1_000;
/** Much of what we say answers something: whoever asks without end and never reads must not fill our memory. */
const MAX_UNSENT_MESSAGES = 32_768;
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;
/** A chunk may hold thousands of small messages, and each may cost a write to the disk: the rest of the program lives too. */
const LONGEST_TURN_MS = 25;

/**
 * Messages and data chunks over one Duplex: asked for one by one during a handshake (`next`), then handed to handlers
 * (`attach`). Reads no further than the consumer wants, so a stranger can fill at most one frame of memory.
 */
export class FramedStream<Message> {
  readonly #duplex: Duplex;
  readonly #codec: Codec<Message>;
  readonly #reader: FrameReader;
  #handlers: StreamHandlers<Message> | null = null;
  #waiter: { resolve(message: Message): void; reject(error: Error): void } | null = null;
  #closed: Error | null = null;
  #paused = false;
  #pumping = false;
  #nextTurn: NodeJS.Immediate | null = null;
  #endedBy: Error | null = null;
  #unsent = 0;

  constructor(duplex: Duplex, codec: Codec<Message>, frameLimit: number) {
    this.#duplex = duplex;
    this.#codec = codec;
    this.#reader = new FrameReader(frameLimit);
    duplex.on('data', (chunk: Buffer) => this.#take(chunk));
    duplex.on('error', (error) => this.#close(new LinkClosedError(whyClosed(error), { cause: error })));
    duplex.on('end', () => this.#closeAfterLastTurn(new LinkClosedError('the other end closed the connection')));
    duplex.on('close', () => this.#closeAfterLastTurn(new LinkClosedError('the connection was closed')));
    duplex.pause();
  }

  set frameLimit(limit: number) {
    this.#reader.limit = limit;
  }

  /** Much may come: from here on it costs less, and a little memory even when nothing comes. */
  expectMuch(): void {
    lendReads(this.#duplex, (bytes) => this.#take(bytes));
  }

  /** Bytes written and not yet taken by the network stack. */
  get bufferedBytes(): number {
    return this.#duplex.writableLength;
  }

  send(message: Message): void {
    if (this.#closed || !this.#duplex.writable) return;
    this.#unsent += 1;
    this.#duplex.write(encodeFrame(FrameType.message, this.#codec.encode(message)), () => {
      this.#unsent -= 1;
    });
    if (this.#unsent > MAX_UNSENT_MESSAGES || this.bufferedBytes > MAX_UNSENT_BYTES)
      this.#duplex.destroy(new LinkClosedError('the other end does not read'));
  }

  /** Copies the content. */
  sendData(stream: number, entry: number, offset: number, content: Buffer): void {
    if (this.#closed || !this.#duplex.writable) return;
    this.#duplex.write(encodeData(stream, entry, offset, content));
  }

  /** Copies nothing. `frame`: DATA_HEAD_BYTES to write into, then the content; it must stay as it is until `onTaken`. */
  sendDataFrame(stream: number, entry: number, offset: number, frame: Buffer, onTaken: () => void): void {
    if (this.#closed || !this.#duplex.writable) return;
    writeDataHeader(frame, stream, entry, offset);
    this.#duplex.write(frame, onTaken);
  }

  onDrain(listener: () => void): void {
    this.#duplex.on('drain', listener);
  }

  /** The next message, for handshakes. */
  next(signal: AbortSignal): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#closed) return reject(this.#closed);
      const onAbort = () => {
        this.#waiter = null;
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const settled = () => signal.removeEventListener('abort', onAbort);
      this.#waiter = {
        resolve: (message) => {
          settled();
          resolve(message);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      this.#pump();
    });
  }

  attach(handlers: StreamHandlers<Message>): void {
    this.#handlers = handlers;
    if (this.#closed) handlers.onClose(this.#closed);
    else this.#pump();
  }

  /** Backpressure: no handler is called, and nothing more is read, until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#duplex.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  /** Flushes what was sent, then closes. Resolves when the other end has closed too, or has had its time to. */
  end(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#duplex.end();
    // Closing with bytes unread would make the kernel reset the connection, and the last words might be lost.
    this.#duplex.resume();
    const timer = setTimeout(() => this.#duplex.destroy(), LINGER_MS);
    const closed = new Promise<void>((resolve) => this.#duplex.on('close', resolve));
    this.#duplex.on('close', () => clearTimeout(timer));
    this.#duplex.on('end', () => this.#duplex.destroy());
    this.#close(new LinkClosedError('closed here'));
    return closed;
  }

  destroy(reason: Error): void {
    this.#close(reason);
  }

  /** The chunk is not looked at any more when this returns. */
  #take(chunk: Buffer): void {
    if (this.#closed) return;
    this.#reader.push(chunk);
    this.#pump();
    this.#reader.keep();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const pauseAt = performance.now() + LONGEST_TURN_MS;
    try {
      while (!this.#closed && !this.#paused && (this.#handlers || this.#waiter)) {
        const frame = this.#reader.next();
        if (!frame) {
          this.#duplex.resume();
          return;
        }
        if (frame.type === FrameType.data) this.#deliverData(decodeData(frame));
        else this.#deliver(this.#codec.decode(frame.payload));
        if (performance.now() > pauseAt) {
          this.#pumpNextTurn();
          break;
        }
      }
      // Closed by a handler: the other end's last bytes are still to be read, or it could not close in order.
      if (!this.#closed) this.#duplex.pause();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#close(error);
    } finally {
      this.#pumping = false;
    }
  }

  #pumpNextTurn(): void {
    this.#nextTurn ??= setImmediate(() => {
      this.#nextTurn = null;
      this.#pump();
      if (this.#endedBy) this.#closeAfterLastTurn(this.#endedBy);
    });
  }

  /** The other end's last words are heard, though they came before its end and not all in one turn. */
  #closeAfterLastTurn(reason: Error): void {
    if (this.#nextTurn) this.#endedBy ??= reason;
    else this.#close(reason);
  }

  #deliver(message: Message): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    if (waiter) waiter.resolve(message);
    else this.#handlers?.onMessage(message);
  }

  #deliverData(chunk: DataChunk): void {
    if (!this.#handlers?.onData) throw new ProtocolError('data where none is allowed');
    this.#handlers.onData(chunk);
  }

  #close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = reason;
    if (!this.#duplex.writableEnded) this.#duplex.destroy();
    this.#waiter?.reject(reason);
    this.#waiter = null;
    this.#handlers?.onClose(reason);
  }
}

/** People read it as the reason of a break: Node's "read ECONNRESET" tells them nothing. */
function whyClosed(error: Error): string {
  switch (errorCode(error)) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the other end broke off the connection';
    case 'ETIMEDOUT':
      return 'the other end does not answer';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ENETDOWN':
      return 'there is no route to the other end';
    default:
      return errorMessage(error);
  }
}
