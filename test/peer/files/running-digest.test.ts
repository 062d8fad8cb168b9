import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkpointLengths, digestUpTo, RunningDigest } from '../../../src/peer/files/running-digest.js';
import { MAX_CHECKPOINTS } from '../../../src/protocol/constants.js';
import { never, scratchFolder } from './helpers/scratch.js';
import { noise, sha256 } from './helpers/tree.js';

const MIB = 1024 * 1024;

describe('checkpointLengths', () => {
  it.each([
    [0, []],
    [1, [1]],
    [MIB - 1, [MIB - 1]],
    [MIB, [MIB]],
    [MIB + 1, [MIB, MIB + 1]],
    [3 * MIB, [MIB, 2 * MIB, 3 * MIB]],
  ])('of %j bytes are %j', (length, expected) => {
    expect(checkpointLengths(length)).toEqual(expected);
  });

  it('rise to the exact end, are never too many, and send little again that does not differ', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(), fc.maxSafeNat()), (length) => {
        const lengths = checkpointLengths(length);
        expect(lengths.length).toBeLessThanOrEqual(MAX_CHECKPOINTS);
        expect(lengths.at(-1) ?? 0).toBe(length);
        expect(lengths.slice(0, -1).every((at) => at % MIB === 0)).toBe(true);
        const gaps = lengths.map((at, index) => ({ gap: at - (lengths[index - 1] ?? 0), differing: length - at }));
        expect(gaps.every(({ gap, differing }) => gap > 0 && gap <= MIB + differing / 64)).toBe(true);
      }),
    );
  });
});

describe('RunningDigest', () => {
  it('tells every prefix on the way to the whole', async () => {
    const content = noise(3 * MIB + 7);
    const path = join(scratchFolder(), 'file');
    await writeFile(path, content);
    const file = await open(path);
    onTestFinished(() => file.close());
    const digest = new RunningDigest();
    for (const length of [1, MIB, MIB + 1, 3 * MIB, content.length]) {
      expect(await digestUpTo(length, file.fd, digest, never)).toBe(true);
      expect(digest.length).toBe(length);
      expect(digest.digest().toString('hex')).toBe(sha256(content.subarray(0, length)));
    }
    expect(await digestUpTo(content.length + 1, file.fd, digest, never)).toBe(false);
    expect(digest.digest().toString('hex')).toBe(sha256(content));
  });

  it('gives copies that go their own way', () => {
    const digest = new RunningDigest();
    digest.update(Buffer.from('one'));
    const copy = digest.copy();
    copy.update(Buffer.from('two'));
    expect([digest.length, digest.digest().toString('hex')]).toEqual([3, sha256('one')]);
    expect([copy.length, copy.digest().toString('hex')]).toEqual([6, sha256('onetwo')]);
  });

  it('stops reading when told to', async () => {
    const path = join(scratchFolder(), 'file');
    await writeFile(path, 'content');
    const file = await open(path);
    onTestFinished(() => file.close());
    const stopped = AbortSignal.abort(new Error('enough'));
    await expect(digestUpTo(7, file.fd, new RunningDigest(), stopped)).rejects.toThrow('enough');
  });
});
