const NS_PER_MS = 1_000_000n;

/**
 * A time of nanoseconds in whole milliseconds, rounded down. Not by way of a Stats' own `mtimeMs`: a double has no room
 * for the last nanoseconds before the next millisecond, and makes them that millisecond.
 */
export function wholeMs(ns: bigint): number {
  return Number((ns >= 0n ? ns : ns - NS_PER_MS + 1n) / NS_PER_MS);
}
