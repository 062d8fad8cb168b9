import { errorCode } from '../protocol/errors.js';

/** Whether there is a process of this number; after a while the number may be another's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}
