import { FRAME_HEADER_BYTES } from './constants.js';
import { ProtocolError } from './errors.js';
import { type Frame, FrameType, joinParts, writeFrameHeader } from './frames.js';

/**
 * File contents travel beside protobuf, so that they are never copied through it: stream (u32), entry (u32) and offset
 * (u64, bytes into the file), then the bytes.
 */
export interface DataChunk {
  stream: number;
  entry: number;
  offset: number;
  parts: Buffer[];
  length: number;
}

const DATA_HEADER_BYTES = 16;
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
export function decodeData(frame: Frame): DataChunk {
  if (frame.length <= DATA_HEADER_BYTES) throw new ProtocolError('data frame without data');
  const { header, rest } = splitParts(frame.parts, DATA_HEADER_BYTES);
  const offset = Number(header.readBigUInt64BE(8));
  if (!Number.isSafeInteger(offset)) throw new ProtocolError('data beyond any file');
  return {
    stream: header.readUInt32BE(0),
    entry: header.readUInt32BE(4),
    offset,
    parts: rest,
    length: frame.length - DATA_HEADER_BYTES,
  };
}

function splitParts(parts: Buffer[], at: number): { header: Buffer; rest: Buffer[] } {
  const head: Buffer[] = [];
  const rest: Buffer[] = [];
  let missing = at;
  for (const part of parts) {
    const taken = Math.min(missing, part.length);
    if (taken > 0) head.push(part.subarray(0, taken));
    if (taken < part.length) rest.push(part.subarray(taken));
    missing -= taken;
  }
  return { header: joinParts(head), rest };
}
