import { Worker } from 'node:worker_threads';
import { unlessAborted, withDeadline } from '../../deadline.js';
import { type AskForLease, LEASE_SECONDS } from './lease.js';
import type { Granted, LibraryJob, LibraryLanguage, LibraryWord } from './library-jobs.js';
import { withdrawByNatPmp } from './withdraw-by-nat-pmp.js';

/** Of one job. UPnP devices may take a second before they answer a search. */
const TIMEOUT_MS = 2_500;
/** Gateways that map ports at all do so in some milliseconds. */
const LATE_WITHIN_MS = 150;
/** A gateway's description has a few kilobytes; whoever sends more on purpose ends the thread. */
const LIMITS = { maxOldGenerationSizeMb: 64 };

interface Thread {
  worker: Worker;
  /** It has loaded what it needs, or failed to. */
  ready: Promise<void>;
  /** By the job's number. */
  pending: Map<number, { resolve(granted: Granted): void; reject(error: Error): void }>;
}

type Wish = Omit<LibraryJob, 'number' | 'kind' | 'timeoutMs'>;

/** UPnP IGD and NAT-PMP, in a thread that runs while there is something to do or a lease to look after. */
export class Library {
  #thread: Thread | null = null;
  #jobs = 0;
  #leases = 0;
  /** What nobody waits for any more, until it was refused, or granted and given back. */
  readonly #late = new Map<Promise<void>, Wish>();

  /** @param withinMs of the gateway: the thread's start, which takes longer than that on a slow machine, does not count */
  askBy(language: LibraryLanguage, withinMs: number): AskForLease {
    return async (request, gateway, signal) => {
      this.#leases += 1;
      try {
        const wish = { ...request, language, gateway, externalPort: request.internalPort };
        this.#thread ??= this.#startThread();
        await unlessAborted(this.#thread.ready, signal);
        const granted = await withDeadline(withinMs, signal, (until) => this.#mapUnlessAborted(wish, until));
        return this.#lease({ ...wish, gateway: granted.gateway, externalPort: granted.external.port }, granted);
      } catch (error) {
        this.#forgetLease();
        throw error;
      }
    };
  }

  /** Leaves nothing behind that was asked for too late, within a second. */
  async stop(): Promise<void> {
    const never = new AbortController().signal;
    const returned = Promise.all(this.#late.keys());
    await withDeadline(LATE_WITHIN_MS, never, (signal) => unlessAborted(returned, signal)).catch(() => {});
    const left = [...this.#late.values()];
    await this.#thread?.worker.terminate();
    await Promise.all(left.map(withdraw));
  }

  /** It does not tell for how long a lease was granted. */
  #lease(granted: Wish, { external }: Granted): Awaited<ReturnType<AskForLease>> {
    const lifetimeMs = LEASE_SECONDS * 1000;
    return {
      external,
      lifetimeMs,
      renew: (signal) => unlessAborted(this.#perform('map', granted), signal).then(() => lifetimeMs),
      end: async (signal) => {
        await unlessAborted(this.#perform('end', granted), signal).finally(() => this.#forgetLease());
      },
    };
  }

  /** What is granted too late is given back. */
  async #mapUnlessAborted(wish: Wish, signal: AbortSignal): Promise<Granted> {
    signal.throwIfAborted();
    const mapping = this.#perform('map', wish);
    try {
      return await unlessAborted(mapping, signal);
    } catch (error) {
      const returned = mapping.then((granted) => this.#giveBack(wish, granted)).catch(() => {});
      this.#late.set(returned, wish);
      returned.then(() => this.#late.delete(returned));
      throw error;
    }
  }

  async #giveBack(wish: Wish, { gateway, external }: Granted): Promise<void> {
    await this.#perform('end', { ...wish, gateway, externalPort: external.port });
  }

  async #perform(kind: LibraryJob['kind'], wish: Wish): Promise<Granted> {
    this.#thread ??= this.#startThread();
    const { worker, pending } = this.#thread;
    this.#jobs += 1;
    const job: LibraryJob = { ...wish, kind, number: this.#jobs, timeoutMs: TIMEOUT_MS };
    worker.postMessage(job);
    try {
      return await new Promise<Granted>((resolve, reject) => pending.set(job.number, { resolve, reject }));
    } finally {
      pending.delete(job.number);
      this.#restIfIdle();
    }
  }

  #startThread(): Thread {
    const pending: Thread['pending'] = new Map();
    const worker = new Worker(new URL('./library-worker.js', import.meta.url), {
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: LIMITS,
    });
    worker.unref();
    const ready = new Promise<void>((resolve) => {
      worker.once('message', () => resolve()).once('exit', () => resolve());
    });
    worker.on('message', (answer: LibraryWord) => {
      if (answer === 'ready') return;
      const waiting = pending.get(answer.number);
      if ('problem' in answer) waiting?.reject(new Error(answer.problem));
      else waiting?.resolve(answer);
    });
    // Its end follows, and says all that matters.
    worker.on('error', () => {});
    worker.on('exit', () => {
      if (this.#thread?.worker === worker) this.#thread = null;
      for (const { reject } of pending.values()) reject(new Error('the library for it has failed'));
    });
    return { worker, ready, pending };
  }

  #forgetLease(): void {
    this.#leases -= 1;
    this.#restIfIdle();
  }

  #restIfIdle(): void {
    if (!this.#thread || this.#leases > 0 || this.#thread.pending.size > 0) return;
    void this.#thread.worker.terminate();
    this.#thread = null;
  }
}

/** In the other language there is no word for it that needs no answer. */
async function withdraw({ language, gateway, ...request }: Wish): Promise<void> {
  if (language === 'NAT-PMP' && gateway !== null) await withdrawByNatPmp(gateway, request);
}
