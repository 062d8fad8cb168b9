import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES, MAX_FRAME_PEER } from '../../src/protocol/constants.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { encodeFrame, FrameReader, FrameType, writeFrameHeader } from '../../src/protocol/frames.js';
import { processorTime } from '../support/own-time.js';

const LIMIT = 1000;
const frames = fc.array(
  fc.record({ type: fc.constantFrom(FrameType.message, FrameType.data), payload: fc.uint8Array({ maxLength: LIMIT }) }),
  { minLength: 1, maxLength: 8 },
);

function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  bytes[0] = type;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function readAll(reader: FrameReader, slices: readonly Buffer[]): { type: number; payload: Buffer }[] {
  const found = [];
  for (const slice of slices) {
    reader.push(slice);
    for (let frame = reader.next(); frame; frame = reader.next()) {
      found.push({ type: frame.type, payload: Buffer.from(frame.payload) });
    }
  }
  return found;
}

describe('a frame', () => {
  test('is a type byte, a big-endian length and the payload', () => {
    expect(encodeFrame(FrameType.message, Buffer.from('abc')).toString('hex')).toBe('0100000003616263');
    const data = Buffer.alloc(5);
    writeFrameHeader(data, FrameType.data, 0x01020304);
    expect(data.toString('hex')).toBe('0201020304');
  });

  test('may be empty', () => {
    const reader = new FrameReader(LIMIT);
    expect(readAll(reader, [encodeFrame(FrameType.message, Buffer.alloc(0))])).toEqual([
      { type: FrameType.message, payload: Buffer.alloc(0) },
    ]);
  });

  test('is read again, however the bytes are sliced', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, Buffer.from(payload))));
        const slices = [];
        let at = 0;
        for (const cut of cuts) {
          slices.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        slices.push(bytes.subarray(at));
        const read = readAll(new FrameReader(LIMIT), slices);
        expect(read).toEqual(sent.map(({ type, payload }) => ({ type, payload: Buffer.from(payload) })));
      }),
    );
  });

  test('is read again byte by byte', () => {
    fc.assert(
      fc.property(frames, (sent) => {
        const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, Buffer.from(payload))));
        const slices = Array.from(bytes, (byte) => Buffer.of(byte));
        expect(readAll(new FrameReader(LIMIT), slices)).toHaveLength(sent.length);
      }),
      { numRuns: 30 },
    );
  });

  test('of the greatest length, sent byte by byte, costs no time worth speaking of', () => {
    const payload = Buffer.alloc(MAX_FRAME_PEER, 7);
    const bytes = encodeFrame(FrameType.message, payload);
    const reader = new FrameReader(MAX_FRAME_PEER);
    const spentMs = processorTime();
    for (let at = 0; at < bytes.length; at += 1) {
      reader.push(bytes.subarray(at, at + 1));
      if (at < bytes.length - 1 && reader.next()) throw new Error('a frame before its end');
    }
    const frame = reader.next();
    expect(frame?.payload.equals(payload)).toBe(true);
    // It took two minutes when every piece was kept by itself.
    expect(spentMs()).toBeLessThan(10_000);
  });
});

describe('the limit', () => {
  test.each([-1, 0])('lets a frame of limit %i through', (difference) => {
    const payload = Buffer.alloc(LIMIT + difference, 1);
    expect(readAll(new FrameReader(LIMIT), [encodeFrame(FrameType.message, payload)])).toHaveLength(1);
  });

  test.each([LIMIT + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 5, 2 ** 32 - 1])(
    'refuses a length of %i by the header alone',
    (length) => {
      const reader = new FrameReader(LIMIT);
      reader.push(header(FrameType.message, length).subarray(0, 4));
      expect(reader.next()).toBeNull();
      reader.push(header(FrameType.message, length).subarray(4));
      expect(() => reader.next()).toThrow(ProtocolError);
    },
  );

  test('holds for the next header once it was changed', () => {
    const reader = new FrameReader(4);
    const long = encodeFrame(FrameType.message, Buffer.alloc(5));
    expect(readAll(reader, [encodeFrame(FrameType.message, Buffer.alloc(4))])).toHaveLength(1);
    reader.limit = 5;
    expect(readAll(reader, [long])).toHaveLength(1);
    reader.limit = 4;
    expect(() => readAll(reader, [long])).toThrow(ProtocolError);
  });

  test('of zero lets only empty frames through', () => {
    expect(readAll(new FrameReader(0), [header(FrameType.message, 0)])).toHaveLength(1);
    expect(() => readAll(new FrameReader(0), [header(FrameType.message, 1)])).toThrow(ProtocolError);
  });
});

test('every unknown type is refused by the header alone', () => {
  for (let type = 0; type < 256; type += 1) {
    if (type === FrameType.message || type === FrameType.data) continue;
    const reader = new FrameReader(LIMIT);
    reader.push(header(type, 0));
    expect(() => reader.next()).toThrow(ProtocolError);
  }
});

test('random bytes give frames, nothing, or a ProtocolError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const reader = new FrameReader(LIMIT);
      try {
        readAll(reader, [Buffer.from(bytes)]);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});
