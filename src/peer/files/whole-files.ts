import { ProtocolError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { SHA256_BYTES } from './running-digest.js';

/** One of the whole files in a data frame: its content is `size` bytes from `at` on, and its SHA-256 follows. */
export interface WholeFileAt {
  entry: number;
  at: number;
  size: number;
}

/**
 * The files that a data frame holds which begins with that of entry `first` and goes on beyond its end: one after the
 * other, each with its SHA-256, folders passed over. Throws a ProtocolError if `length` bytes do not end with a file.
 */
export function* wholeFilesIn(
  entries: readonly ManifestEntry[],
  first: number,
  length: number,
): Generator<WholeFileAt, void> {
  let entry = first;
  for (let at = 0; at < length; entry++) {
    const expected = entries[entry];
    if (!expected) throw new ProtocolError('data of more files than the manifest has');
    if (expected.directory) continue;
    const { size } = expected;
    if (at + size + SHA256_BYTES > length) throw new ProtocolError('a file that is cut off within a frame');
    yield { entry, at, size };
    at += size + SHA256_BYTES;
  }
}
