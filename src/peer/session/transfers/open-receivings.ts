import { existsSync } from 'node:fs';
import type { ManifestEntry } from '../../../protocol/messages.js';
import { ReceivingThread, type ThreadedReceiving } from '../../files/receiving-thread.js';
import type { Journal, TransferRecord } from '../journal/journal.js';

/** The files of accepted transfers as they are open on this disk, each transfer once, whatever link it comes over. */
export class OpenReceivings {
  readonly #journal: Journal;
  readonly #defaultInto: string;
  readonly #signal: AbortSignal;
  readonly #thread = new ReceivingThread();
  readonly #open = new Map<string, ThreadedReceiving>();
  readonly #doubted = new Set<string>();

  /** `signal`: ends the reading of what an earlier run has left. */
  constructor(journal: Journal, defaultInto: string, signal: AbortSignal) {
    this.#journal = journal;
    this.#defaultInto = defaultInto;
    this.#signal = signal;
  }

  /** There will soon be something to open: the thread for it starts meanwhile. */
  expect(): void {
    if (!this.#signal.aborted) this.#thread.start();
  }

  /** Without a folder there is nothing to read or to take away, and to open the transfer would make one. */
  hasFolder(record: TransferRecord): boolean {
    return existsSync(this.#folderOf(record));
  }

  /** Makes its folder. Not to be called again for the same transfer before it has resolved. */
  async open(record: TransferRecord, entries: ManifestEntry[]): Promise<ThreadedReceiving> {
    const { transfer } = record;
    const known = this.#open.get(transfer);
    if (known) return known;
    const { transfers } = this.#journal;
    const receiving = await this.#thread.open({
      transfer,
      entries,
      into: this.#folderOf(record),
      store: {
        load: () => transfers.find(transfer)?.progress ?? '',
        save: (progress) => {
          const current = transfers.find(transfer);
          if (current) transfers.save({ ...current, progress });
        },
      },
      signal: this.#signal,
    });
    this.#open.set(transfer, receiving);
    return receiving;
  }

  /** The disk refused to go on with it: its folder may be another one by the next try. */
  doubt(transfer: string): void {
    this.#doubted.add(transfer);
  }

  /** What is doubted is opened anew the next time. */
  async letGoOfDoubted(transfer: string): Promise<void> {
    if (!this.#doubted.delete(transfer)) return;
    const receiving = this.#open.get(transfer);
    this.#open.delete(transfer);
    await receiving?.suspend();
  }

  bytesInPlace(transfer: string): number {
    return this.#open.get(transfer)?.bytesInPlace ?? 0;
  }

  /** It is complete, or about to be discarded: it will not be opened again. */
  forget(transfer: string): void {
    this.#open.delete(transfer);
  }

  /** Later runs of the program go on from there. */
  async suspendAll(): Promise<void> {
    await Promise.all([...this.#open.values()].map((receiving) => receiving.suspend()));
  }

  async stop(): Promise<void> {
    await this.#thread.stop();
  }

  #folderOf({ into }: TransferRecord): string {
    return into ?? this.#defaultInto;
  }
}
