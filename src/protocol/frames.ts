import { FRAME_HEADER_BYTES } from './constants.js';
import { ProtocolError } from './errors.js';

/** A frame is a type byte, a 32-bit big-endian payload length, and the payload. */
export const FrameType = { message: 1, data: 2 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export interface Frame {
  type: FrameType;
  /** The payload as it arrived: one piece or more, uncopied. */
  parts: Buffer[];
  length: number;
}

export function encodeFrame(type: FrameType, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, type, payload.length);
  payload.copy(frame, FRAME_HEADER_BYTES);
  return frame;
}

export function writeFrameHeader(into: Buffer, type: FrameType, length: number): void {
  into[0] = type;
  into.writeUInt32BE(length, 1);
}

/** A whole frame comes in some 33 pieces over TLS; a peer that sends its bytes one by one shall cost us no more. */
const MAX_PIECES = 512;

/** Cuts a byte stream, however it is sliced, into frames. Buffers at most one frame and the chunk that ended it. */
export class FrameReader {
  /** The longest payload accepted from here on; checked as soon as the header is there, before anything is kept. */
  limit: number;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #header: { type: FrameType; length: number } | null = null;

  constructor(limit: number) {
    this.limit = limit;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#chunks.length > MAX_PIECES) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  /** The next whole frame, or null until more is pushed. Throws ProtocolError on an unknown type or a length above the limit. */
  next(): Frame | null {
    if (!this.#header) {
      if (this.#buffered < FRAME_HEADER_BYTES) return null;
      this.#header = this.#parseHeader();
    }
    const { type, length } = this.#header;
    if (this.#buffered < length) return null;
    this.#header = null;
    return { type, length, parts: this.#take(length) };
  }

  #parseHeader(): { type: FrameType; length: number } {
    const header = joinParts(this.#take(FRAME_HEADER_BYTES));
    const type = header[0];
    const length = header.readUInt32BE(1);
    if (type !== FrameType.message && type !== FrameType.data) throw new ProtocolError(`frame of unknown type ${type}`);
    if (length > this.limit) throw new ProtocolError(`frame of ${length} bytes where ${this.limit} are allowed`);
    return { type, length };
  }

  #take(count: number): Buffer[] {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const chunk = this.#chunks[0];
      if (!chunk) throw new RangeError('took more than was buffered');
      if (chunk.length <= missing) {
        parts.push(chunk);
        this.#chunks.shift();
        missing -= chunk.length;
      } else {
        parts.push(chunk.subarray(0, missing));
        this.#chunks[0] = chunk.subarray(missing);
        missing = 0;
      }
    }
    this.#buffered -= count;
    return parts;
  }
}

export function joinParts(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}
