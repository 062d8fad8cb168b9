import { constants } from 'node:fs';

// Windows knows neither of these. O_NONBLOCK: should a pipe have come into a file's place, opening it does not wait.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NO_WAIT = constants.O_NONBLOCK ?? 0;

/** None of these follows a symlink in the last place. */
export const READ_ONLY = constants.O_RDONLY | NO_FOLLOW | NO_WAIT;
export const READ_WRITE = constants.O_RDWR | NO_FOLLOW | NO_WAIT;
/** Only if nothing is there. */
export const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
