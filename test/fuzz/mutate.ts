import type { Random } from './random.js';

/** Numbers at which parsers stumble, in the widths that the formats here use. */
const NUMBERS = [
  0, 1, -1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0x1000_0000, 0xffff_ffff,
];

type Change = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const CHANGES: readonly [Change, ...Change[]] = [
  flipBit,
  setByte,
  setNumber,
  cutOut,
  cutOff,
  repeat,
  insertNoise,
  insertOther,
  crossOver,
  stretchLength,
];

/** A neighbour of `bytes`: a few small changes, at times with pieces of `others`. Never longer than `maxBytes`. */
export function mutate(bytes: Buffer, random: Random, others: readonly Buffer[], maxBytes: number): Buffer {
  let changed = Buffer.from(bytes);
  for (let left = 1 + random.below(random.chance(0.2) ? 12 : 3); left > 0; left--) {
    changed = Buffer.from(random.pick(CHANGES)(changed, random, others));
  }
  return changed.subarray(0, maxBytes);
}

function flipBit(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

function setByte(bytes: Buffer, random: Random): Buffer {
  if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

function setNumber(bytes: Buffer, random: Random): Buffer {
  const width = 1 << random.below(4);
  if (bytes.length < width) return bytes;
  const number = BigInt.asUintN(
    8 * width,
    BigInt(NUMBERS[random.below(NUMBERS.length)] ?? 0) - BigInt(random.below(2)),
  );
  const at = random.below(bytes.length - width + 1);
  for (let byte = 0; byte < width; byte++) {
    bytes[at + width - 1 - byte] = Number((number >> BigInt(8 * byte)) & 0xffn);
  }
  return bytes;
}

function cutOut(bytes: Buffer, random: Random): Buffer {
  const [from, to] = span(bytes, random);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
}

function cutOff(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, random.below(bytes.length + 1));
}

function repeat(bytes: Buffer, random: Random): Buffer {
  const [from, to] = span(bytes, random);
  const part = bytes.subarray(from, to);
  const times = 1 + random.below(random.chance(0.1) ? 200 : 4);
  return Buffer.concat([bytes.subarray(0, to), ...Array<Buffer>(times).fill(part), bytes.subarray(to)]);
}

function insertNoise(bytes: Buffer, random: Random): Buffer {
  return insert(bytes, random.bytes(1 + random.below(16)), random);
}

function insertOther(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const other = others[random.below(others.length)] ?? bytes;
  return insert(bytes, other.subarray(...span(other, random)), random);
}

function crossOver(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const other = others[random.below(others.length)] ?? bytes;
  return Buffer.concat([
    bytes.subarray(0, random.below(bytes.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ]);
}

/** Makes a byte that may be a length, or part of one, promise more than follows. */
function stretchLength(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  if (bytes.length > 0) bytes[at] = Math.min(0xff, (bytes[at] ?? 0) + 1 + random.below(64));
  return bytes;
}

function insert(bytes: Buffer, part: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
}

function span(bytes: Buffer, random: Random): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  return [from, Math.min(bytes.length, from + 1 + random.below(random.chance(0.2) ? 256 : 16))];
}
