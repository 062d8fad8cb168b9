import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { House } from './house.js';
import { timed } from './rounds.js';

export const MiB = 1024 * 1024;

/** A file that nothing can compress. */
export function makeFile(path: string, bytes: number): string {
  const piece = randomFillSync(Buffer.allocUnsafe(MiB));
  const file = openSync(path, 'w');
  for (let at = 0; at < bytes; at += MiB) {
    // No two pieces alike, at little cost.
    piece.writeUInt32LE(at / MiB, 0);
    writeSync(file, piece, 0, Math.min(MiB, bytes - at));
  }
  closeSync(file);
  return path;
}

/**
 * Touches as much memory as a file of `bytes` takes, and gives it back. A virtual machine's host may take free memory
 * away within seconds and fetch it back, page by page, at a third of the speed of everything measured here: whoever came
 * first would pay for whoever comes next.
 */
export function warmMemory(bytes: number): void {
  rmSync(makeFile(join(tmpdir(), 'warm.bin'), bytes));
}

/** A file of holes: it reads as zeros and takes no memory. */
export function makeHoles(path: string, bytes: number): string {
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

export function makeFolders(path: string, folders: number, filesInEach: number, bytes: number): string {
  const content = randomFillSync(Buffer.allocUnsafe(bytes));
  for (let folder = 0; folder < folders; folder++) {
    const where = join(path, `folder ${folder}`);
    mkdirSync(where, { recursive: true });
    for (let file = 0; file < filesInEach; file++) {
      content.writeUInt32LE(folder * filesInEach + file, 0);
      writeFileSync(join(where, `file ${file}`), content);
    }
  }
  return path;
}

/**
 * From `p2p send` typed, with `p2p receive` waiting at the other side, until both have ended with 0: every file is
 * received, verified, synced and in place. In milliseconds.
 */
export async function sendWhole(house: House, source: string, options: readonly string[] = []): Promise<number> {
  const into = house.path('received');
  const receiver = house.start('bob', ['receive', '--into', into, '--yes', '--once'], options);
  await receiver.says(/waiting|Waiting/);
  warmMemory(statSync(source).size);
  const ms = await timed(async () => {
    const sender = house.start('alice', ['send', source], options);
    await Promise.all([sender.done(), receiver.done()]);
  });
  if (!existsSync(join(into, basename(source)))) throw new Error('the file did not arrive');
  rmSync(into, { recursive: true });
  return ms;
}

export function megabytesPerSecond(bytes: number, ms: number): number {
  return bytes / 1e6 / (ms / 1e3);
}
