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

/**
 * Has udx collect what comes until its buffer of 64 KiB is full, instead of handing over each packet. Whoever asks for it
 * must know that as much is still to come, or the last of it stays where it is.
 */
export type Collect = (inBulk: boolean) => void;

/** Bytes that one side may send beyond what the other has read: enough for 100 MiB a second over 80 ms. */
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** What was read is told in steps of this. */
const CREDIT_BYTES = WINDOW_BYTES / 8;

/** More than udx collects, so that it will be full before the run ends. */
const BULK_BYTES = 128 * 1024;

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
  readonly #collect: Collect;
  #inBulk = false;
  /** To be sent when the peer and the network take more, without empty buffers. */
  #waiting: Buffer[] = [];
  #whenSent: Done | null = null;
  #allowance = WINDOW_BYTES;
  #isDraining = false;
  readonly #arrivals = new Arrivals();
  #arrivedBytes = 0;
  #nextTurn: NodeJS.Immediate | null = null;
  /** Of the peer's bytes: come in, and told to be read. */
  #received = 0;
  #credited = 0;
  #header = Buffer.alloc(0);
  /** Of the run that is coming in. */
  #left = 0;
  #peerEnded = false;
  #isClosed = false;

  constructor(stream: UdxStream, collect: Collect = () => {}) {
    super();
    this.#stream = stream;
    this.#collect = collect;
    stream.on('data', (bytes: Buffer) => this.#arrived(bytes));
    stream.on('drain', () => this.#drained());
    stream.on('error', (error: Error) => this.#close(error));
    stream.on('close', () => this.#close(new LinkClosedError('the stream was closed')));
  }

  /** Called before what is being read has left the buffer. */
  override _read(): void {
    queueMicrotask(() => this.#tellRead());
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: Done): void {
    this._writev([{ chunk }], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this.#waiting = chunks.map(({ chunk }) => chunk).filter(({ length }) => length > 0);
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
    while (!this.#isDraining && this.#waiting.length > 0) {
      if (this.#allowance === 0) return;
      this.#sendRun(takeUpTo(this.#allowance, this.#waiting));
    }
    if (!this.#isDraining) this.#sent();
  }

  /** Uncopied: what is written in one turn udx puts into as few packets as it fits into. */
  #sendRun(run: Buffer[]): void {
    // Nobody listens to a stream that has closed.
    if (this.#isClosed) return;
    const length = run.reduce((sum, bytes) => sum + bytes.length, 0);
    this.#allowance -= length;
    for (const bytes of [headerOf(length), ...run]) this.#isDraining = !this.#stream.write(bytes);
  }

  #drained(): void {
    this.#isDraining = false;
    this.#send();
  }

  #sent(): void {
    const done = this.#whenSent;
    this.#whenSent = null;
    done?.();
  }

  /** A packet holds less than a tenth of what TLS decrypts at once: so what comes in one turn is taken in together. */
  #arrived(packet: Buffer): void {
    this.#arrivals.push(packet);
    this.#arrivedBytes += packet.length;
    if (this.#inBulk) this.#collectIfMuchIsToCome();
    this.#nextTurn ??= setImmediate(() => this.#takeIn());
  }

  #takeIn(): void {
    if (this.#nextTurn) clearImmediate(this.#nextTurn);
    this.#nextTurn = null;
    this.#arrivedBytes = 0;
    for (const bytes of this.#arrivals.take()) this.#receive(bytes);
    this.#collectIfMuchIsToCome();
  }

  #collectIfMuchIsToCome(): void {
    const inBulk = this.#left - this.#arrivedBytes >= BULK_BYTES;
    if (inBulk === this.#inBulk) return;
    this.#inBulk = inBulk;
    this.#collect(inBulk);
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
    this.#takeIn();
    this.#isClosed = true;
    if (!this.#peerEnded) this.destroy(error);
    else if (this.#whenSent) {
      this.#isDraining = false;
      this.#allowance = Number.POSITIVE_INFINITY;
      this.#send();
    }
  }
}

/** Packets in the order in which they came. udx puts them one behind the other in memory: such are joined uncopied. */
class Arrivals {
  #joined: Buffer[] = [];
  #memory: ArrayBufferLike | null = null;
  #from = 0;
  #to = 0;

  push(packet: Buffer): void {
    if (packet.buffer !== this.#memory || packet.byteOffset !== this.#to) {
      this.#join();
      this.#memory = packet.buffer;
      this.#from = packet.byteOffset;
    }
    this.#to = packet.byteOffset + packet.length;
  }

  take(): Buffer[] {
    this.#join();
    const taken = this.#joined;
    this.#joined = [];
    return taken;
  }

  #join(): void {
    if (this.#memory) this.#joined.push(Buffer.from(this.#memory, this.#from, this.#to - this.#from));
    this.#memory = null;
  }
}

/** Cuts the first `count` bytes, or all, off the beginning of the list. */
function takeUpTo(count: number, list: Buffer[]): Buffer[] {
  const taken: Buffer[] = [];
  for (let left = count; left > 0; ) {
    const first = list.shift();
    if (!first) break;
    taken.push(first.subarray(0, left));
    if (first.length > left) list.unshift(first.subarray(left));
    left -= first.length;
  }
  return taken;
}

function headerOf(value: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(value);
  return header;
}
