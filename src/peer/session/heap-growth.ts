import { setFlagsFromString } from 'node:v8';
import type { PathKind } from '../../protocol/messages.js';

/** Smaller files leave so much behind that collecting it in small portions takes a fifteenth more of the processor. */
const LARGE_FILE_BYTES = 1024 * 1024;

// All are called when much is about to flow, and no earlier: code that the build kept is taken only under the flags that
// it was made with.

/**
 * What comes for a pipe lies outside of the heap, in new memory for each frame, and V8 counts it as growth of the heap.
 * Ours is so small that it would be collected as a whole every 20 MiB.
 */
export function collectLessOften(): void {
  setFlagsFromString('--heap-growing-percent=300');
}

let growsForUdp = false;

/**
 * What is sent over UDP Node encrypts into new memory, too, which lives no longer than until the peer has it. It needs no
 * collecting of the whole heap, every 16 MiB, only of the young generation, which fills up in 25 to 40. Small files leave
 * so much in the heap itself that it would really grow.
 */
export function collectLessOftenFor(path: PathKind, meanFileBytes: number): void {
  const grows = path === 'udp-punch' && meanFileBytes >= LARGE_FILE_BYTES;
  if (grows === growsForUdp) return;
  growsForUdp = grows;
  // 0 is what V8 begins with: it decides by itself.
  setFlagsFromString(`--heap-growing-percent=${grows ? 500 : 0}`);
}

/**
 * V8 makes the heap's young generation larger by what has survived in it since it was last made larger, however long that
 * took: the longer a file, the more memory, up to 24 MiB that nothing needs, for large files leave little behind.
 * It holds until another thread is started, when V8 puts the flag back: to be called when those that are needed run.
 */
export function keepYoungGeneration(meanFileBytes: number): void {
  if (meanFileBytes >= LARGE_FILE_BYTES) setFlagsFromString('--semi-space-growth-factor=1');
}
