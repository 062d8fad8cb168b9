import type { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { LinkClosedError, ProtocolError } from '../../../protocol/errors.js';

/** What is used of a udx stream, which is streamx's idea of a stream and not Node's. */
export interface UdxStream extends EventEmitter {
  write(bytes: Buffer): boolean;
  /** Resolves when all that was written has been acknowledged, or never will be. */
  flush(): Promise<boolean>;
  destroy(): void;
}

/** Bytes that one side may send beyond what the other has read: enough for 100 MiB a second over 80 ms. */
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** What was read is told in steps of this. */
const CREDIT_BYTES = WINDOW_BYTES / 8;

const HEADER_BYTES = 4;
const END = 0;
const CREDIT = 0x8000_0000;

type Done = (error?: Error | null) => void;

/**
 * A udx stream as a Node Duplex. node:tls needs the callback of `write()`, which streamx does not have. And udx takes in
 * all that comes, whether or not anyone reads it: so each side tells how much it has read, and the other sends no more
 * than a window beyond. On the wire, each run of bytes has a 32-bit header, its length. A length of 0 is the end of this
 * direction; with the highest bit set it is no length, but how much more was read.
 */
export class UdxDuplex extends Duplex {
  readonly #stream: UdxStream;
  /** To be sent when the peer and the network take more. */
  #waiting: Buffer[] = [];
  #whenSent: Done | null = null;
  #allowance = WINDOW_BYTES;
  #isDraining = false;
  /** Of the peer's bytes: come in, and told to be read. */
  #received = 0;
  #credited = 0;
  #header = Buffer.alloc(0);
  #left = 0;
  #peerEnded = false;
  #isClosed = false;

  constructor(stream: UdxStream) {
    super();
    this.#stream = stream;
    stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    stream.on('error', (error: Error) => this.#close(error));
    stream.on('close', () => this.#close(new LinkClosedError('the stream was closed')));
  }

  /** Called before what is being read has left the buffer. */
  override _read(): void {
    queueMicrotask(() => this.#tellRead());
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: Done): void {
    this.#waiting = [bytes];
    this.#whenSent = done;
    this.#send();
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#waiting = [Buffer.concat(chunks.map(({ chunk }) => chunk))];
    this.#whenSent = done;
    this.#send();
  }

  override _final(done: Done): void {
    if (!this.#isClosed) this.#stream.write(headerOf(END));
    done();
  }

  /** A udx stream that is destroyed drops what is on its way: after an orderly end that must arrive first. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const inOrder = !error && this.#peerEnded && this.writableFinished;
    const arrived = inOrder ? this.#stream.flush() : Promise.resolve(true);
    const destroy = () => this.#stream.destroy();
    arrived.then(destroy, destroy);
    done(error);
  }

  #tellRead(): void {
    const read = this.#received - this.readableLength;
    if (read - this.#credited < CREDIT_BYTES || this.#isClosed || this.destroyed) return;
    this.#stream.write(headerOf(CREDIT + read - this.#credited));
    this.#credited = read;
  }

  #send(): void {
    while (!this.#isDraining) {
      const [next] = this.#waiting;
      if (!next) break;
      const now = next.subarray(0, this.#allowance);
      if (now.length === 0 && next.length > 0) return;
      if (now.length === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(now.length);
      this.#sendNow(now);
    }
    if (this.#waiting.length === 0 && !this.#isDraining) this.#sent();
  }

  #sendNow(bytes: Buffer): void {
    // A length of 0 would be the end; and nobody listens to a stream that has closed.
    if (bytes.length === 0 || this.#isClosed) return;
    this.#allowance -= bytes.length;
    // In one write: udx begins each with a packet of its own.
    if (this.#stream.write(Buffer.concat([headerOf(bytes.length), bytes]))) return;
    this.#isDraining = true;
    this.#stream.once('drain', () => {
      this.#isDraining = false;
      this.#send();
    });
  }

  #sent(): void {
    const done = this.#whenSent;
    this.#whenSent = null;
    done?.();
  }

  #receive(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.destroyed; ) {
      if (this.#left > 0) {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        this.#received += part.length;
        this.push(part);
      } else {
        const part = bytes.subarray(at, at + HEADER_BYTES - this.#header.length);
        at += part.length;
        this.#header = Buffer.concat([this.#header, part]);
        if (this.#header.length === HEADER_BYTES) this.#obey(this.#header.readUInt32BE());
      }
    }
  }

  #obey(header: number): void {
    this.#header = Buffer.alloc(0);
    if (header === END) this.#endOfPeer();
    else if (header >= CREDIT) this.#grant(header - CREDIT);
    else if (this.#peerEnded || this.#received + header > this.#credited + WINDOW_BYTES) this.#refuse();
    else this.#left = header;
  }

  #endOfPeer(): void {
    if (this.#peerEnded) this.#refuse();
    else this.push(null);
    this.#peerEnded = true;
  }

  #grant(bytes: number): void {
    this.#allowance += bytes;
    if (this.#allowance > WINDOW_BYTES) this.#refuse();
    else this.#send();
  }

  #refuse(): void {
    this.destroy(new ProtocolError('the peer sends what it may not'));
  }

  /** What the peer sent before its end can still be read; what we write is lost, as on any connection that is cut. */
  #close(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#peerEnded) this.destroy(error);
    else if (this.#whenSent) {
      this.#isDraining = false;
      this.#allowance = Number.POSITIVE_INFINITY;
      this.#send();
    }
  }
}

function headerOf(value: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(value);
  return header;
}
