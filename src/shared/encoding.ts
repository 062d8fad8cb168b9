import { existsSync } from 'node:fs';
import { ExitCode, UserError } from '../protocol/errors.js';

/** What node puts in place of bytes that are no UTF-8. */
const REPLACED = '\uFFFD';

/**
 * Refuses names of files that this program cannot have been given as they are: it would not find them, or make others.
 * A name may really hold that letter, and then something of that name is there. @throws UserError
 * @param texts options whose values name nothing
 */
export function refuseForeignEncoding(argv: readonly string[], texts: readonly string[] = []): void {
  for (const [at, word] of argv.entries()) {
    const value = word.replace(/^--[^=]*=/, '');
    const isText = texts.some((option) => argv[at - 1] === option || word.startsWith(`${option}=`));
    if (isText || !value.includes(REPLACED) || existsSync(value)) continue;
    throw new UserError(
      ExitCode.usage,
      `"${value}" is not a name in UTF-8: where ${REPLACED} stands, it has other bytes`,
      'Rename it (mv, with * in place of what cannot be typed), and name it anew; nothing was done.',
    );
  }
}
