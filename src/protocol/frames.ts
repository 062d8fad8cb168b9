import { FRAME_HEADER_BYTES } from './constants.js';
import { ProtocolError } from './errors.js';
import { memoryForData } from './frame-memory.js';

/** A frame is a type byte, a 32-bit big-endian payload length, and the payload. */
export const FrameType = { message: 1, data: 2 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export interface Frame {
  type: FrameType;
  /** Nobody else's. */
  payload: Buffer;
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

interface Filling {
  bytes: Buffer;
  filled: number;
}

/** Cuts a byte stream, however it is sliced, into frames. Buffers at most one frame and the chunk that ended it. */
export class FrameReader {
  /** The longest payload accepted from here on; checked as soon as the header is there, before any memory is taken. */
  limit: number;
  /** What has come and is not yet part of a frame. */
  readonly #chunks: Buffer[] = [];
  readonly #header: Filling = { bytes: Buffer.alloc(FRAME_HEADER_BYTES), filled: 0 };
  #payload: (Filling & { type: FrameType }) | null = null;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** The chunk must stay as it is until it is taken, or keep() is called. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /** Copies what is not yet taken of the chunk that was pushed last. */
  keep(): void {
    const last = this.#chunks.pop();
    if (last) this.#chunks.push(Buffer.from(last));
  }

  /** The next whole frame, or null until more is pushed. Throws ProtocolError on an unknown type or a length above the limit. */
  next(): Frame | null {
    this.#payload ??= this.#begin();
    if (!this.#payload || !this.#fill(this.#payload)) return null;
    const { type, bytes } = this.#payload;
    this.#payload = null;
    return { type, payload: bytes };
  }

  #begin(): (Filling & { type: FrameType }) | null {
    const header = this.#header;
    if (!this.#fill(header)) return null;
    header.filled = 0;
    const type = header.bytes[0];
    const length = header.bytes.readUInt32BE(1);
    if (type !== FrameType.message && type !== FrameType.data) throw new ProtocolError(`frame of unknown type ${type}`);
    if (length > this.limit) throw new ProtocolError(`frame of ${length} bytes where ${this.limit} are allowed`);
    const bytes = type === FrameType.data ? memoryForData(length) : Buffer.allocUnsafe(length);
    return { type, bytes, filled: 0 };
  }

  /** False until all of it is there. */
  #fill(filling: Filling): boolean {
    while (filling.filled < filling.bytes.length) {
      const chunk = this.#chunks[0];
      if (!chunk) return false;
      const missing = filling.bytes.length - filling.filled;
      const taken = chunk.length <= missing ? chunk : chunk.subarray(0, missing);
      filling.bytes.set(taken, filling.filled);
      filling.filled += taken.length;
      if (taken === chunk) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(missing);
    }
    return true;
  }
}
