import { FILE_END_COST } from '../../protocol/constants.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import type { ReceivedFile, Receiving, WholeFile } from './receiving.js';
import { SHA256_BYTES } from './running-digest.js';
import { type CrossingError, packError } from './thread/crossing-error.js';
import { wholeFilesIn } from './whole-files.js';

/**
 * One thing that the sender said. The bytes of a file lie elsewhere, at `at`; digests are in hex. Data that begin a file
 * and are longer than it are whole files: see wholeFilesIn().
 */
export type Step =
  | { kind: 'resume'; entry: number; offset: number }
  | { kind: 'data'; entry: number; offset: number; at: number; length: number }
  | { kind: 'fileEnd'; entry: number; size: number; sha256: string }
  | { kind: 'skip'; entry: number };

/** What came of a batch of steps. */
export interface Taken {
  received: ReceivedFile[];
  /** Entries that the sender left out. */
  skipped: number[];
  /** What it counts for in the stream's window. */
  consumed: number;
  /** What kept the rest from being carried out. */
  failure: CrossingError | null;
}

/** Carries out what was said in its order; those that are whole files and follow each other, together. */
export async function takeSteps(said: readonly Step[], bytes: Buffer, receiving: Receiving): Promise<Taken> {
  const taken: Taken = { received: [], skipped: [], consumed: 0, failure: null };
  try {
    const steps = said.flatMap((step) =>
      isWholeFiles(step, receiving.entries) ? takeApart(step, bytes, receiving.entries) : [step],
    );
    for (let next = 0; next < steps.length; ) {
      const files = wholeFilesFrom(next, steps, bytes);
      next +=
        files.length > 0
          ? await takeFiles(files, taken, receiving)
          : await takeOne(steps[next], bytes, taken, receiving);
    }
  } catch (error) {
    taken.failure = packError(error);
  }
  return taken;
}

type Data = Extract<Step, { kind: 'data' }>;

function isWholeFiles(step: Step, entries: readonly ManifestEntry[]): step is Data {
  if (step.kind !== 'data' || step.offset !== 0) return false;
  const first = entries[step.entry];
  return first !== undefined && !first.directory && step.length > first.size;
}

function takeApart(
  { entry: first, at: start, length }: Data,
  bytes: Buffer,
  entries: readonly ManifestEntry[],
): Step[] {
  return [...wholeFilesIn(entries, first, length)].flatMap(({ entry, at, size }): Step[] => {
    const end = start + at + size;
    const sha256 = bytes.toString('hex', end, end + SHA256_BYTES);
    const data: Step[] = size > 0 ? [{ kind: 'data', entry, offset: 0, at: start + at, length: size }] : [];
    return [...data, { kind: 'fileEnd', entry, size, sha256 }];
  });
}

interface Whole extends WholeFile {
  size: number;
  /** How many it consists of. */
  steps: number;
}

function wholeFilesFrom(start: number, steps: readonly Step[], bytes: Buffer): Whole[] {
  const files: Whole[] = [];
  for (let at = start; at < steps.length; ) {
    const file = wholeFileAt(at, steps, bytes);
    if (!file) break;
    files.push(file);
    at += file.steps;
  }
  return files;
}

function wholeFileAt(at: number, steps: readonly Step[], bytes: Buffer): Whole | null {
  const first = steps[at];
  const data = first?.kind === 'data' && first.offset === 0 ? first : null;
  const end = data ? steps[at + 1] : first;
  if (end?.kind !== 'fileEnd' || end.size !== (data?.length ?? 0) || (data && data.entry !== end.entry)) return null;
  return {
    entry: end.entry,
    size: end.size,
    bytes: data ? bytes.subarray(data.at, data.at + data.length) : bytes.subarray(0, 0),
    sha256: end.sha256,
    steps: data ? 2 : 1,
  };
}

/** Resolves to how many steps were carried out. */
async function takeFiles(files: readonly Whole[], taken: Taken, receiving: Receiving): Promise<number> {
  const received = await receiving.whole(files);
  taken.received.push(...received);
  let steps = 0;
  for (const file of files.slice(0, received.length)) {
    taken.consumed += file.size + FILE_END_COST;
    steps += file.steps;
  }
  return steps;
}

async function takeOne(step: Step | undefined, bytes: Buffer, taken: Taken, receiving: Receiving): Promise<number> {
  switch (step?.kind) {
    case 'resume':
      await receiving.resume(step.entry, step.offset);
      break;
    case 'data':
      await receiving.write(step.entry, step.offset, bytes.subarray(step.at, step.at + step.length));
      taken.consumed += step.length;
      break;
    case 'fileEnd':
      taken.received.push(await receiving.fileEnd(step.entry, step.size, Buffer.from(step.sha256, 'hex')));
      taken.consumed += FILE_END_COST;
      break;
    case 'skip':
      await receiving.skip(step.entry);
      taken.skipped.push(step.entry);
      break;
  }
  return 1;
}
