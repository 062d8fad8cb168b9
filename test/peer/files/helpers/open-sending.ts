import { afterAll, onTestFinished } from 'vitest';
import type { LocalManifest } from '../../../../src/peer/files/manifest.js';
import { ReaderThread } from '../../../../src/peer/files/reader-thread.js';
import { Sending } from '../../../../src/peer/files/sending.js';

/** One for all tests of a file, as a program has one for all its transfers. */
export const reader = new ReaderThread();
afterAll(() => reader.stop());

/** Ends with the test. */
export function openSending({ entries, sources }: Pick<LocalManifest, 'entries' | 'sources'>): Sending {
  const sending = new Sending({ entries, sources, reader });
  onTestFinished(() => sending.close());
  return sending;
}
