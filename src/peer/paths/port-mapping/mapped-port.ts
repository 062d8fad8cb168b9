import type { Endpoint } from '../../../protocol/messages.js';
import { withDeadline } from '../../deadline.js';
import type { Lease } from './lease.js';

/** No gateway is asked more often than this, however short its leases are (RFC 6887, section 11.2.1). */
const SHORTEST_RENEWAL_MS = 4_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const RENEW_WITHIN_MS = 3_000;
const END_WITHIN_MS = 1_000;

/** A port of the gateway that leads to one of ours, renewed until it is released. */
export class MappedPort {
  readonly external: Endpoint;
  /** The language that the gateway understood. */
  readonly by: string;
  readonly #lease: Lease;
  readonly #onRelease: () => void;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #released: Promise<void> | null = null;

  constructor(lease: Lease, by: string, onRelease: () => void) {
    this.external = lease.external;
    this.by = by;
    this.#lease = lease;
    this.#onRelease = onRelease;
    this.#renewAfter(lease.lifetimeMs / 2);
  }

  /** Takes the mapping away, if the gateway answers within a second; else it ends with its lease. */
  release(): Promise<void> {
    this.#released ??= this.#end();
    return this.#released;
  }

  #renewAfter(ms: number): void {
    this.#timer = setTimeout(() => this.#renew(ms), Math.min(Math.max(ms, SHORTEST_RENEWAL_MS), LONGEST_TIMER_MS));
    this.#timer.unref();
  }

  /** If it fails, half of the time that is left is over before it is tried again. */
  async #renew(afterMs: number): Promise<void> {
    let nextMs = afterMs / 2;
    try {
      const lifetimeMs = await withDeadline(RENEW_WITHIN_MS, this.#stopping.signal, (signal) =>
        this.#lease.renew(signal),
      );
      nextMs = lifetimeMs / 2;
    } catch {}
    if (!this.#released) this.#renewAfter(nextMs);
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopping.abort(new Error('released'));
    const never = new AbortController().signal;
    await withDeadline(END_WITHIN_MS, never, (signal) => this.#lease.end(signal)).catch(() => {});
    // Not before: whoever stops the mapper, and then the process, waits for what is known here.
    this.#onRelease();
  }
}
