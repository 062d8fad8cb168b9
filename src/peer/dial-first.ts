import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Dial = (signal: AbortSignal) => Promise<net.Socket>;

/** RFC 8305, section 5. */
const NEXT_AFTER_MS = 250;

/**
 * The first connection that comes about. Each is begun when the one before has failed, or has not answered for a moment:
 * many a host has an IPv6 address from which nothing comes back. Leaves no other socket behind.
 * @throws why the last one failed, or the signal's reason
 */
export async function dialFirst(dials: readonly Dial[], signal: AbortSignal): Promise<net.Socket> {
  const over = new AbortController();
  const stop = () => over.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const attempts: Promise<net.Socket>[] = [];
  for (const dial of dials) attempts.push(attempt(dial, attempts.at(-1), over));
  try {
    return await Promise.any(attempts);
  } catch (error) {
    signal.throwIfAborted();
    throw (error as AggregateError).errors.at(-1) ?? new Error('there is no address to call');
  } finally {
    signal.removeEventListener('abort', stop);
    over.abort();
  }
}

async function attempt(dial: Dial, before: Promise<unknown> | undefined, over: AbortController): Promise<net.Socket> {
  const ended = before?.catch(() => {});
  if (ended) await Promise.race([ended, sleep(NEXT_AFTER_MS, undefined, { signal: over.signal })]);
  over.signal.throwIfAborted();
  const socket = await dial(over.signal);
  if (over.signal.aborted) {
    // Another was there in the same turn.
    socket.destroy();
    throw over.signal.reason;
  }
  over.abort();
  return socket;
}
