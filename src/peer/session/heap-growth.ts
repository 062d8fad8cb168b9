import { setFlagsFromString } from 'node:v8';

/**
 * What comes for a pipe lies outside of the heap, in new memory for each frame, and V8 counts it as growth of the heap.
 * Ours is so small that it would be collected as a whole every 20 MiB.
 *
 * Called when much is about to come in, and no earlier: code that the build kept is taken only under the flags that it
 * was made with.
 */
export function collectLessOften(): void {
  setFlagsFromString('--heap-growing-percent=300');
}
