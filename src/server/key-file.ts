import { readFile } from 'node:fs/promises';
import { errorCode, errorMessage } from '../protocol/errors.js';
import { hasPrivateBlock, type PublicIdentity, parsePublicPem } from '../protocol/identity.js';
import { type Succession, successionsInPem } from '../protocol/succession.js';
import { type FileStamp, isStampSure } from './key-files.js';

/** What one file of the directory was when it was last looked at. */
export interface KeyFile extends Content {
  stamp: string;
  /**
   * doubted: unusable at the first look, as a file is while someone writes it, and what it held before still counts.
   * read: it counts, and is read once more when its stamp is sure. settled: not read again while its stamp stays.
   */
  state: 'doubted' | 'read' | 'settled';
}

interface Content {
  text: string;
  identity: PublicIdentity | null;
  /** What stands beside the key: which keys came before it. */
  successions: Succession[];
  problem: string | null;
}

/** The longest key that is accepted fills a tenth of this. */
const MAX_FILE_BYTES = 64 * 1024;
const NEVER_READ: KeyFile = { stamp: '', state: 'doubted', text: '', identity: null, successions: [], problem: null };

/** Reads the file unless its stamp says that it is as it was `before`. */
export async function lookAtKeyFile(path: string, stamp: FileStamp, before = NEVER_READ): Promise<KeyFile> {
  const isSame = before.stamp === stamp.text;
  const isSure = isStampSure(stamp);
  if (isSame && (before.state === 'settled' || (before.state === 'read' && !isSure))) return before;

  const content = await readContent(path, stamp.size, isSame ? before : null);
  if (!content) return before;
  const { problem } = content;
  const state = isSure ? 'settled' : 'read';
  if (problem === null) return { ...content, stamp: stamp.text, state };
  const isSecondLook = isSame && before.problem === problem;
  if (isSecondLook) return { ...content, identity: null, successions: [], stamp: stamp.text, state };
  const { identity, successions } = before;
  return { ...content, identity, successions, stamp: stamp.text, state: 'doubted' };
}

/** Null if it cannot be read just now. Parsing is what takes time, and is spared if the text is as before. */
async function readContent(path: string, size: number, before: Content | null): Promise<Content | null> {
  if (size > MAX_FILE_BYTES) return unusable('', 'it is too large to be a key');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    return code === 'EACCES' || code === 'EPERM' ? unusable('', 'it cannot be read: permission denied') : null;
  }
  if (before?.text === text) return before;
  if (hasPrivateBlock(text)) {
    return unusable(text, 'it holds a private key, which only its owner should have; put the public key here alone');
  }
  try {
    return { text, identity: parsePublicPem(text), successions: successionsInPem(text), problem: null };
  } catch (error) {
    return unusable(text, errorMessage(error));
  }
}

function unusable(text: string, problem: string): Content {
  return { text, identity: null, successions: [], problem };
}
