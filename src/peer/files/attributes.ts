import { errorCode } from '../../protocol/errors.js';

/** Never setuid, setgid or sticky: the sender must not choose what runs as whom. */
const PERMISSION_BITS = 0o777;
const OWNER_OF_FILE = 0o600;
const OWNER_OF_FOLDER = 0o700;

const LATEST_MS = Date.UTC(9999, 11, 31);
/** Seconds go through a double on their way down: without this, 0.123 s comes out as 0.122999. */
const ROUNDING_SECONDS = 5e-7;

/** What can be given a mode and times: an open file or folder, or a path by way of an adapter. */
export interface Attributable {
  chmod(mode: number): void;
  utimes(atime: number, mtime: number): void;
}

/** Gives `target` the sender's mode and time; the owner always keeps read and write (and, in folders, entry). */
export function setAttributes(
  target: Attributable,
  { directory, mode, mtimeMs }: { directory: boolean; mode: number; mtimeMs: number },
): void {
  const seconds = Math.min(Math.max(mtimeMs, 0), LATEST_MS) / 1_000 + ROUNDING_SECONDS;
  whereSupported(() => target.chmod((mode & PERMISSION_BITS) | (directory ? OWNER_OF_FOLDER : OWNER_OF_FILE)));
  whereSupported(() => target.utimes(seconds, seconds));
}

/** Some file systems (FAT, network shares) know no modes, or fewer times; the content is worth having all the same. */
function whereSupported(change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!['EPERM', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(errorCode(error) ?? '')) throw error;
  }
}
