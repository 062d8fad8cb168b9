import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { type Identity, parsePublicPem, UnusableKeyError } from '../../protocol/identity.js';
import { descentOf, type Succession, successionPem } from '../../protocol/succession.js';
import { makeFolders } from '../../shared/make-folders.js';
import { writePrivateFile } from '../session/journal/private-files.js';
import { withLock } from '../settings/settings-lock.js';
import { formerIds, formerKeyFile, formerKeysFolder, knownSuccessions } from './former-keys.js';

/** Public keys are for everybody. */
const READABLE = 0o644;

export interface Rotation {
  /** Of the key pair. */
  file: string;
  /** What the file held when the old pair was read. */
  before: string;
  succession: Succession;
  /** What the file holds from now on: the new pair as PEM, as it is to lie on the disk. */
  pem: string;
}

/**
 * Puts the new pair in the place of the old one, which stays in the folder of former keys. Killed at any moment it leaves
 * a file with the old pair or with the new one; and the old one is kept, with what it said, before it is replaced.
 * @throws UserError if another process changed the file meanwhile
 */
export function replaceKeyPair({ file, before, succession, pem }: Rotation): void {
  const real = realpathSync(file);
  const folder = formerKeysFolder(real);
  makeFolders(folder, 0o700);
  withLock(join(folder, 'rotating'), () => {
    const text = readFileSync(real, 'utf8');
    // Of two rotations at once, each would name a successor, and nobody would believe either.
    if (text !== before) {
      throw new UserError(
        ExitCode.usage,
        `${file} was changed by somebody else meanwhile`,
        'Look at it, and try again.',
      );
    }
    const separated = text.endsWith('\n') ? text : `${text}\n`;
    writePrivateFile(formerKeyFile(real, succession.former.id), Buffer.from(separated + successionPem(succession)));
    writePrivateFile(real, Buffer.from(pem));
  });
}

/**
 * The public key's file beside the pair holds a former key: a rotation was killed before it was done.
 * @param publicFile where keygen puts it
 */
export function isUnfinished(file: string, current: { id: string }): boolean {
  const id = publicIdIn(publicFileOf(file));
  return id !== null && id !== current.id && formerIds(file, current.id).includes(id);
}

/**
 * Writes the public key for the others, with all that its former keys said: whoever knows any of them can believe it.
 * Takes the place of public.pem if that holds a former key or nothing; one that is somebody else's stays.
 * @returns the file's path
 */
export function writePublicFile(file: string, current: Pick<Identity, 'id' | 'key'>): string {
  const former = new Set(formerIds(file, current.id));
  const usual = publicFileOf(file);
  const there = publicIdIn(usual);
  const isOurs = !existsSync(usual) || there === current.id || (there !== null && former.has(there));
  const path = isOurs ? usual : `${realpathSync(file)}.public.pem`;
  const pem = current.key.export({ type: 'spki', format: 'pem' }).toString();
  const said = lineTo(file, current.id).map(successionPem).join('');
  writePrivateFile(path, Buffer.from(pem + said), READABLE);
  return path;
}

/** Oldest first. */
function lineTo(file: string, id: string): Succession[] {
  const known = knownSuccessions(file);
  const lines = formerIds(file, id).map((from) => {
    const descent = descentOf(from, known);
    return descent.kind === 'line' ? descent.successions : [];
  });
  return lines.reduce((longest, line) => (line.length > longest.length ? line : longest), []);
}

function publicFileOf(file: string): string {
  return join(dirname(realpathSync(file)), 'public.pem');
}

function publicIdIn(path: string): string | null {
  try {
    return existsSync(path) ? parsePublicPem(readFileSync(path, 'utf8')).id : null;
  } catch (error) {
    if (error instanceof UnusableKeyError) return null;
    throw error;
  }
}
