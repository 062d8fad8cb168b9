import { expect, test } from 'vitest';
import { DATA_CHUNK_BYTES, DATA_HEADER_BYTES, MAX_FRAME_PEER } from '../../src/protocol/constants.js';
import { giveBackMemory, memoryForData } from '../../src/protocol/frame-memory.js';

const LARGE = DATA_HEADER_BYTES + DATA_CHUNK_BYTES;

test('memory has the length asked for, and nothing else lies in it', () => {
  const lengths = [0, 1, 4096, LARGE / 2 - 1, LARGE / 2, LARGE - 1, LARGE, LARGE + 1, MAX_FRAME_PEER];
  const taken = lengths.map(memoryForData);
  expect(taken.map(({ length }) => length)).toEqual(lengths);
  expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(lengths.length);
  for (const { length, buffer } of taken) expect(buffer.byteLength).toBeLessThanOrEqual(2 * length);
});

test('what was given back is used again, once, however much of it was given back', () => {
  const first = memoryForData(LARGE);
  giveBackMemory(first.subarray(DATA_HEADER_BYTES));
  const second = memoryForData(LARGE - 1);
  expect(second.buffer).toBe(first.buffer);
  expect(second).toHaveLength(LARGE - 1);
  expect(memoryForData(LARGE).buffer).not.toBe(first.buffer);
});

test('of what is given back only so much is kept', () => {
  const many = Array.from({ length: 100 }, () => memoryForData(LARGE));
  for (const each of many) giveBackMemory(each);
  const buffers = new Set(many.map(({ buffer }) => buffer));
  const again = Array.from({ length: 100 }, () => memoryForData(LARGE));
  expect(again.filter(({ buffer }) => buffers.has(buffer)).length).toBeLessThan(30);
});
