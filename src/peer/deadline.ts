import { setMaxListeners } from 'node:events';

/**
 * Does `work` with a signal that aborts when `signal` does, or after `ms`. By hand: on Node 20 the timeout inside
 * AbortSignal.any([…, AbortSignal.timeout(ms)]) is collected as garbage before it fires, and there is no deadline.
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  // As many wait for it as there are attempts under way at once.
  setMaxListeners(0, deadline.signal);
  const abort = () => deadline.abort(signal.reason);
  const timer = setTimeout(() => deadline.abort(new Error('no answer in time')), ms);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** Waits no longer than until `signal` aborts, though `work` itself cannot be stopped. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
