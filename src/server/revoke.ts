import { statSync } from 'node:fs';
import { ExitCode, errorCode, UserError } from '../protocol/errors.js';
import { verificationWords } from '../protocol/words.js';
import { describeSystemError } from '../shared/system-error.js';
import { barsFolder, liftBar, writeBar } from './bars.js';

export interface RevokeOptions {
  /** 64 lower-case hex digits. */
  id: string;
  undo: boolean;
  /** The mediator's. */
  home: string;
}

/**
 * Bars a key, and with it its successors, or lifts that again; a mediator that runs on this home obeys within a second.
 * Returns what to tell the operator. @throws UserError
 */
export async function revoke({ id, undo, home }: RevokeOptions): Promise<string> {
  const folder = barsFolder(home);
  checkIsHome(home, folder);
  try {
    if (undo) return await lift(folder, id);
    await writeBar(folder, { id, because: null });
  } catch (error) {
    const what = `the key cannot be ${undo ? 'let in again' : 'revoked'}: ${describeSystemError(error)}`;
    throw new UserError(ExitCode.usage, what, `Check the permissions of ${folder} and the free space.`, {
      cause: error,
    });
  }
  return [
    `Revoked ${id}`,
    `        ${verificationWords(id).join(' ')}`,
    'It and its successors are not admitted any more, even if their files are still in the directory of keys.',
    'To lift it: the same with --undo',
  ].join('\n');
}

function checkIsHome(home: string, folder: string): void {
  try {
    statSync(folder);
  } catch (error) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
    // A bar that no mediator reads would leave its operator in a false belief.
    const [what, hint] = isMissing
      ? [`no mediator has run with the home ${home}`, 'Name the --home that p2p-server runs with.']
      : [`${folder} cannot be looked at: ${describeSystemError(error)}`, 'Run this as the user who runs p2p-server.'];
    throw new UserError(ExitCode.usage, `${what}; nothing was changed`, hint, { cause: error });
  }
}

async function lift(folder: string, id: string): Promise<string> {
  const lifted = await liftBar(folder, id);
  if (lifted.length === 0) {
    throw new UserError(ExitCode.usage, 'this key is not revoked', `The revoked ones are the files in ${folder}.`);
  }
  return [
    'No longer revoked, and admitted if it is in the directory of keys:',
    ...lifted.map((each) => `  ${each}`),
  ].join('\n');
}
