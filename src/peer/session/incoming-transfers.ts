import { existsSync } from 'node:fs';
import type { DataChunk } from '../../protocol/data-frames.js';
import { ProtocolError, UserError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { DigestMismatchError } from '../files/file-errors.js';
import type { ReceivedFile } from '../files/receiving.js';
import { ReceivingThread, type ThreadedReceiving } from '../files/receiving-thread.js';
import { IncomingOffers } from './incoming-offers.js';
import type { TransferRecord } from './journal/journal.js';
import { LeftOut } from './left-out.js';
import { ProgressReport } from './progress-report.js';
import { type FileStep, ReceivingRun } from './receiving-run.js';
import { type AfterCommit, endWithout, type TransferContext, transferTrouble } from './transfer-context.js';
import { Troubles } from './trouble.js';

/** After a full disk, say: the next try. */
const RETRY_MS = 5_000;
/** A file that keeps arriving wrong is not going to be right. */
const MAX_MISMATCHES = 3;

/** The files that this side has accepted, written as far as they have come, over whatever link there is. */
export class IncomingTransfers {
  readonly offers: IncomingOffers;
  readonly #context: TransferContext;
  readonly #defaultInto: string;
  readonly #thread = new ReceivingThread();
  readonly #receivings = new Map<string, ThreadedReceiving>();
  readonly #runs = new Map<number, ReceivingRun>();
  /** One start after the other: two at once would write the same file. */
  readonly #starting = new Map<string, Promise<void>>();
  readonly #retries = new Map<string, NodeJS.Timeout>();
  readonly #troubles = new Troubles();
  readonly #mismatches = new Map<string, number>();
  readonly #discards = new Set<Promise<void>>();
  /** What the disk refused to go on with: its folder may be another one by the next try. */
  readonly #stale = new Set<string>();
  /** Files that an event has told of: those of an earlier run come again with each link. */
  readonly #told = new WeakSet<ReceivedFile>();
  readonly #leftOut: LeftOut;
  readonly #closing = new AbortController();
  #link: Link | null = null;
  #lastStream = 0;

  constructor(context: TransferContext, defaultInto: string) {
    this.#context = context;
    this.#defaultInto = defaultInto;
    this.#leftOut = new LeftOut(context.emit);
    this.offers = new IncomingOffers(context, defaultInto, (record) => this.#begin(record));
  }

  /** Reads what an earlier run has left of everything that was accepted. */
  prepare(): void {
    for (const record of this.#accepted()) {
      const { transfer } = record;
      if (this.#starting.has(transfer)) continue;
      // Whatever fails is met again, and told, when there is a link.
      const prepared = this.#prepare(record).catch(() => void this.#stale.add(transfer));
      this.#starting.set(transfer, prepared);
    }
  }

  /** Goes on with everything that was accepted. */
  start(link: Link): void {
    this.#link = link;
    for (const record of this.#accepted()) this.#begin(record);
  }

  stop(): void {
    this.#link = null;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
    for (const run of this.#runs.values()) run.stop();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the session was closed'));
    await this.offers.settle();
    this.stop();
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
    await Promise.all(this.#discards);
    // Ends the reading of what an earlier run has left, for which those that are starting would wait.
    await this.#suspendAll();
    await Promise.all(this.#starting.values());
    await this.#suspendAll();
    await this.#thread.stop();
  }

  async #suspendAll(): Promise<void> {
    await Promise.all([...this.#receivings.values()].map((receiving) => receiving.suspend()));
  }

  /**
   * Cancelled by either side: nothing more is written, and what was not finished is taken away. Until that is done the
   * journal keeps what is needed for it, should this process be killed. Called inside the journal's transaction.
   */
  drop(ended: TransferRecord, isUnderway: boolean): AfterCommit {
    this.#context.journal.transfers.save(isUnderway ? { ...ended, state: 'discarding' } : ended);
    return () => {
      if (isUnderway) this.#discardSoon(ended.transfer);
    };
  }

  /** What an earlier run did not come to take away. */
  discardLeftovers(): void {
    for (const { transfer, state } of this.#context.journal.transfers.unfinished()) {
      if (state === 'discarding') this.#discardSoon(transfer);
    }
  }

  step(message: FileStep): void {
    this.#runs.get(message.stream)?.step(message);
  }

  data(chunk: DataChunk): void {
    this.#runs.get(chunk.stream)?.data(chunk);
  }

  bytesInPlace(transfer: string): number {
    return this.#receivings.get(transfer)?.bytesInPlace ?? 0;
  }

  #accepted(): TransferRecord[] {
    return this.#context.journal.transfers
      .unfinished()
      .filter(({ direction, state }) => direction === 'receive' && state === 'accepted');
  }

  #begin(record: TransferRecord): void {
    const link = this.#link;
    if (!link) return;
    const { transfer } = record;
    this.#lastStream += 1;
    const stream = this.#lastStream;
    const before = this.#starting.get(transfer) ?? Promise.resolve();
    const started = before.then(() => this.#run(record, link, stream)).catch((error) => this.#failed(transfer, error));
    this.#starting.set(transfer, started);
  }

  async #prepare(record: TransferRecord): Promise<void> {
    // Without a folder there is nothing to read, and who knows when there will be something to put into one.
    if (!existsSync(this.#folderOf(record))) return;
    const receiving = await this.#open(record, this.#context.journal.transfers.manifest(record.transfer));
    await receiving.want();
  }

  async #run(record: TransferRecord, link: Link, stream: number): Promise<void> {
    const { transfer } = record;
    await this.#stopRuns(transfer);
    if (this.#stale.delete(transfer)) await this.#letGo(transfer);
    const { journal } = this.#context;
    if (link !== this.#link || link.closed || journal.transfers.find(transfer)?.state !== 'accepted') return;
    const entries = journal.transfers.manifest(transfer);
    const receiving = await this.#open(record, entries);
    if (link !== this.#link || link.closed) return;
    const progress = new ProgressReport(transfer, record.bytes, this.#context.emit);
    const leftOut = new Set<number>();
    const nameOf = (entry: number) => entries[entry]?.path ?? '';
    const run = new ReceivingRun({
      transfer,
      stream,
      link,
      receiving,
      handlers: {
        onProgress: (entry) => progress.update(nameOf(entry), receiving.bytesInPlace),
        onFile: (file) => this.#fileInPlace(transfer, file),
        onSkip: (entry) => {
          leftOut.add(entry);
          this.#skipped(transfer, nameOf(entry));
        },
        onComplete: () => {
          progress.finish(nameOf(entries.findLastIndex((_, entry) => !leftOut.has(entry))));
          this.#complete(transfer, receiving.skipped);
        },
        onFailure: (error) => this.#failed(transfer, error),
      },
    });
    this.#runs.set(stream, run);
    await run.start();
  }

  #fileInPlace(transfer: string, file: ReceivedFile): void {
    if (this.#told.has(file)) return;
    this.#told.add(file);
    this.#mismatches.delete(transfer);
    this.#troubles.forget(transfer);
    const { name, path: local, bytes, sha256 } = file;
    this.#context.emit({ event: 'file', transfer, name, path: local, bytes, sha256 });
  }

  #skipped(transfer: string, name: string): void {
    const message = `"${name}" cannot be sent as it was offered, and is left out`;
    this.#leftOut.tell(transfer, name, { message, hint: 'Ask for it to be sent again.' });
  }

  async #stopRuns(transfer: string): Promise<void> {
    for (const [stream, run] of this.#runs) {
      if (run.transfer !== transfer) continue;
      this.#runs.delete(stream);
      await run.stop();
    }
  }

  async #open(record: TransferRecord, entries: ManifestEntry[]): Promise<ThreadedReceiving> {
    const { transfer } = record;
    const known = this.#receivings.get(transfer);
    if (known) return known;
    const { journal } = this.#context;
    const receiving = await this.#thread.open({
      transfer,
      entries,
      into: this.#folderOf(record),
      store: {
        load: () => journal.transfers.find(transfer)?.progress ?? '',
        save: (progress) => {
          const current = journal.transfers.find(transfer);
          if (current) journal.transfers.save({ ...current, progress });
        },
      },
      signal: this.#closing.signal,
    });
    this.#receivings.set(transfer, receiving);
    return receiving;
  }

  #folderOf({ into }: TransferRecord): string {
    return into ?? this.#defaultInto;
  }

  async #letGo(transfer: string): Promise<void> {
    const receiving = this.#receivings.get(transfer);
    this.#receivings.delete(transfer);
    await receiving?.suspend();
  }

  #complete(transfer: string, skipped: number): void {
    const { journal, outbox, emit } = this.#context;
    this.#receivings.delete(transfer);
    const record = journal.transfers.find(transfer);
    if (record?.state !== 'accepted') return;
    journal.transaction(() => {
      journal.transfers.save({ ...record, state: 'finished', ...endWithout(skipped, 'peer') });
      journal.append({ kind: 'done', transfer, skipped }, Date.now());
    });
    if (skipped > 0) this.#leftOut.end(transfer, 'peer', skipped);
    else emit({ event: 'transferred', transfer });
    outbox.flush();
  }

  #discardSoon(transfer: string): void {
    const discard = this.#discard(transfer)
      .catch((error) => this.#context.emit(transferTrouble(transfer, error)))
      .finally(() => this.#discards.delete(discard));
    this.#discards.add(discard);
  }

  async #discard(transfer: string): Promise<void> {
    const { journal } = this.#context;
    clearTimeout(this.#retries.get(transfer));
    this.#retries.delete(transfer);
    await this.#starting.get(transfer);
    await this.#stopRuns(transfer);
    const record = journal.transfers.find(transfer);
    // To open it would make a folder that is gone, only to find nothing in it.
    if (record && existsSync(this.#folderOf(record))) {
      const receiving = await this.#open(record, journal.transfers.manifest(transfer));
      this.#receivings.delete(transfer);
      await receiving.discard();
    }
    const left = journal.transfers.find(transfer);
    if (left) journal.transfers.save({ ...left, state: 'finished' });
  }

  #failed(transfer: string, error: unknown): void {
    if (this.#closing.signal.aborted) return;
    if (error instanceof ProtocolError) {
      this.#link?.destroy(error);
      return;
    }
    if (!(error instanceof DigestMismatchError || error instanceof UserError)) throw error;
    if (this.#context.journal.transfers.find(transfer)?.state !== 'accepted') return;
    if (error instanceof UserError) this.#stale.add(transfer);
    const again = error instanceof DigestMismatchError && this.#countMismatch(transfer) < MAX_MISMATCHES;
    if (!again && this.#troubles.isNews(transfer, error.message, performance.now())) {
      this.#context.emit(transferTrouble(transfer, error));
    }
    this.#retry(transfer, again ? 0 : RETRY_MS);
  }

  #countMismatch(transfer: string): number {
    const count = (this.#mismatches.get(transfer) ?? 0) + 1;
    this.#mismatches.set(transfer, count);
    return count;
  }

  #retry(transfer: string, afterMs: number): void {
    clearTimeout(this.#retries.get(transfer));
    const timer = setTimeout(() => {
      this.#retries.delete(transfer);
      const record = this.#context.journal.transfers.find(transfer);
      if (record?.state === 'accepted') this.#begin(record);
    }, afterMs);
    this.#retries.set(transfer, timer);
  }
}
