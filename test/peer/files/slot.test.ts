import fc from 'fast-check';
import { expect, it } from 'vitest';
import { newSlot, Slot } from '../../../src/peer/files/slot.js';
import { DATA_CHUNK_BYTES } from '../../../src/protocol/constants.js';
import { DATA_HEAD_BYTES } from '../../../src/protocol/data-frames.js';

it('gives out no byte twice, the heads before what it gives included, until it is full', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(DATA_CHUNK_BYTES), { minLength: 20 }), (lengths) => {
      const memory = newSlot();
      const slot = new Slot(memory);
      let end = 0;
      for (const length of lengths) {
        const room = slot.take(length);
        if (!room) expect(end + DATA_HEAD_BYTES + length).toBeGreaterThan(memory.byteLength);
        else {
          expect(room.length).toBe(length);
          expect(room.buffer).toBe(memory);
          expect(room.byteOffset - DATA_HEAD_BYTES).toBeGreaterThanOrEqual(end);
          end = room.byteOffset + length;
        }
      }
    }),
  );
});

it('has room for the longest piece', () => {
  expect(new Slot(newSlot()).take(DATA_CHUNK_BYTES)?.length).toBe(DATA_CHUNK_BYTES);
});
