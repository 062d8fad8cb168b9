import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DATA_CHUNK_BYTES, MAX_FRAME_PEER } from '../../src/protocol/constants.js';
import { decodeData, encodeData } from '../../src/protocol/data-frames.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { type Frame, FrameReader, FrameType } from '../../src/protocol/frames.js';

const HEADER = 16;
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

function frameOf(payload: Buffer): Frame {
  return { type: FrameType.data, payload };
}

function payloadWith(offset: bigint): Buffer {
  const payload = Buffer.alloc(HEADER + 1);
  payload.writeBigUInt64BE(offset, 8);
  return payload;
}

describe('a data frame', () => {
  test('has these bytes', () => {
    const frame = encodeData(1, 2, 0x0003_0405_0607_0809, Buffer.from('abc'));
    expect(frame.toString('hex')).toBe('020000001300000001000000020003040506070809616263');
  });

  test('is read again through the frame reader, however it is sliced', () => {
    const content = fc.uint8Array({ minLength: 1, maxLength: 300 }).map(Buffer.from);
    fc.assert(
      fc.property(
        u32,
        u32,
        fc.maxSafeNat(),
        content,
        fc.integer({ min: 1, max: 40 }),
        (stream, entry, offset, b, n) => {
          const bytes = encodeData(stream, entry, offset, b);
          const reader = new FrameReader(MAX_FRAME_PEER);
          for (let at = 0; at < bytes.length; at += n) reader.push(bytes.subarray(at, at + n));
          const frame = reader.next();
          if (!frame) throw new Error('no frame');
          const chunk = decodeData(frame);
          expect(chunk).toMatchObject({ stream, entry, offset });
          expect(chunk.content.equals(b)).toBe(true);
        },
      ),
    );
  });

  test('of a full chunk fits the frame limit of a link', () => {
    expect(DATA_CHUNK_BYTES + HEADER).toBeLessThanOrEqual(MAX_FRAME_PEER);
  });

  test.each([0, 1, HEADER - 1, HEADER])('of %i bytes is refused: there is no content in it', (length) => {
    expect(() => decodeData(frameOf(Buffer.alloc(length)))).toThrow(ProtocolError);
  });

  test('of its header and one byte is accepted', () => {
    const chunk = decodeData(frameOf(payloadWith(5n)));
    expect(chunk.offset).toBe(5);
    expect(chunk.content).toHaveLength(1);
  });

  test('may begin at the last safe integer and not beyond', () => {
    expect(decodeData(frameOf(payloadWith(2n ** 53n - 1n))).offset).toBe(Number.MAX_SAFE_INTEGER);
    for (const offset of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])
      expect(() => decodeData(frameOf(payloadWith(offset)))).toThrow(ProtocolError);
  });

  test('keeps its content where it is, uncopied', () => {
    const payload = payloadWith(0n);
    expect(decodeData(frameOf(payload)).content.buffer).toBe(payload.buffer);
  });
});
