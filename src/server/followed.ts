import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../protocol/errors.js';
import { shortId } from '../protocol/identity.js';
import { type Succession, successionPem } from '../protocol/succession.js';

/** A line of keys that is longer than anybody's life of them is somebody who fills the disk. */
const LONGEST_LINE = 64;

/** Whether there is a reason to write this succession down: it is new, and its line is not endless. */
export function isWorthKeeping({ former, successor }: Succession, known: readonly Succession[]): boolean {
  const named = new Set(known.filter((each) => each.former.id === former.id).map((each) => each.successor.id));
  // Two are enough to know that there is a dispute.
  return !named.has(successor.id) && named.size < 2 && lengthOfLineTo(former.id, known) < LONGEST_LINE;
}

/**
 * Puts the successor's key, and the word of both keys beside it, among the operator's own files: one place says who is
 * admitted, and taking the file out is enough to take it back.
 */
export async function writeFollowed(root: string, succession: Succession): Promise<void> {
  const { former, successor } = succession;
  const path = join(root, `succession-${shortId(former.id)}-${shortId(successor.id)}.pem`);
  const temporary = join(root, `.new-${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${successor.key.export({ type: 'spki', format: 'pem' })}${successionPem(succession)}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

function lengthOfLineTo(id: string, known: readonly Succession[]): number {
  const formerOf = new Map(known.map(({ former, successor }) => [successor.id, former.id]));
  let length = 0;
  for (let at = formerOf.get(id); at !== undefined && length < LONGEST_LINE; at = formerOf.get(at)) length += 1;
  return length;
}
