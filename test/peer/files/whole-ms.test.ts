import { execFileSync } from 'node:child_process';
import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readManifest } from '../../../src/peer/files/manifest.js';
import { SourceFile } from '../../../src/peer/files/source-file.js';
import { wholeMs } from '../../../src/peer/files/whole-ms.js';
import { reader } from './helpers/open-sending.js';
import { never, scratchFolder } from './helpers/scratch.js';

it.each([
  [0n, 0],
  [999_999n, 0],
  [1_000_000n, 1],
  [1_700_000_000_000_999_999n, 1_700_000_000_000],
  [1_700_000_000_001_000_000n, 1_700_000_000_001],
  [-1n, -1],
  [-1_000_000n, -1],
  [-1_000_001n, -2],
])('%d ns begin in millisecond %d', (ns, ms) => {
  expect(wholeMs(ns)).toBe(ms);
});

it('a file last written a nanosecond before the next millisecond is not taken to have changed', async () => {
  const path = join(scratchFolder(), 'file');
  writeFileSync(path, '');
  execFileSync('touch', ['-d', '2024-01-01 00:00:00.000999999', path]);
  expect(lstatSync(path, { bigint: true }).mtimeNs % 1_000_000n).toBe(999_999n);
  const { entries } = await readManifest([path], reader, never);
  for (const entry of entries) new SourceFile(path, entry).close();
  expect(entries).toHaveLength(1);
});
