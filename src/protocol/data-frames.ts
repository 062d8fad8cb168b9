import { DATA_HEADER_BYTES, FRAME_HEADER_BYTES } from './constants.js';
import { ProtocolError } from './errors.js';
import { type Frame, FrameType, writeFrameHeader } from './frames.js';

/**
 * File contents travel beside protobuf, so that they are never copied through it: stream (u32), entry (u32) and offset
 * (u64, bytes into the file), then the bytes.
 */
export interface DataChunk {
  stream: number;
  entry: number;
  offset: number;
  /** The receiver's own; giveBackMemory() takes it when it is no longer needed. */
  content: Buffer;
}

/** What a data frame has in front of its content. */
export const DATA_HEAD_BYTES = FRAME_HEADER_BYTES + DATA_HEADER_BYTES;

/** `frame`: content, and before it DATA_HEAD_BYTES for what is written here. */
export function writeDataHeader(frame: Buffer, stream: number, entry: number, offset: number): void {
  writeFrameHeader(frame, FrameType.data, frame.length - FRAME_HEADER_BYTES);
  frame.writeUInt32BE(stream, 5);
  frame.writeUInt32BE(entry, 9);
  frame.writeBigUInt64BE(BigInt(offset), 13);
}

/** A whole frame with a copy of the content. */
export function encodeData(stream: number, entry: number, offset: number, content: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(DATA_HEAD_BYTES + content.length);
  writeDataHeader(frame, stream, entry, offset);
  content.copy(frame, DATA_HEAD_BYTES);
  return frame;
}

/** Throws ProtocolError if the frame is shorter than its header or its offset is not a safe integer. */
export function decodeData({ payload }: Frame): DataChunk {
  if (payload.length <= DATA_HEADER_BYTES) throw new ProtocolError('data frame without data');
  const offset = Number(payload.readBigUInt64BE(8));
  if (!Number.isSafeInteger(offset)) throw new ProtocolError('data beyond any file');
  return {
    stream: payload.readUInt32BE(0),
    entry: payload.readUInt32BE(4),
    offset,
    content: payload.subarray(DATA_HEADER_BYTES),
  };
}
