import { ExitCode, UserError } from '../../protocol/errors.js';
import { verificationWords } from '../../protocol/words.js';

/** Two keys by their ids and words, one below the other: what a person compares when one took the other's place. */
export function compareKeys(before: { label: string; id: string }, now: { label: string; id: string }): string {
  const width = Math.max(before.label.length, now.label.length);
  return [before, now]
    .flatMap(({ label, id }) => [
      `  ${label.padEnd(width)}  ${id}`,
      `  ${' '.repeat(width)}  ${verificationWords(id).join(' ')}`,
    ])
    .join('\n');
}

/** Somebody who was known by one key is named with another. @param who begins the sentence: 'bob', a file */
export function changedPeerKey(who: string, ids: { before: string; now: string }, hint: string): UserError {
  const keys = compareKeys({ label: 'before', id: ids.before }, { label: 'now', id: ids.now });
  return new UserError(ExitCode.usage, `${who} has another key than before:\n${keys}`, hint);
}
