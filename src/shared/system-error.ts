import { getSystemErrorMap } from 'node:util';
import { errorMessage } from '../protocol/errors.js';

/** 'permission denied' where Node says "EACCES: permission denied, open '/some/where'". */
export function describeSystemError(error: unknown): string {
  const errno = (error as { errno?: unknown } | null)?.errno;
  const known = typeof errno === 'number' ? getSystemErrorMap().get(errno) : undefined;
  return known?.[1] ?? errorMessage(error);
}
