import { setMaxListeners } from 'node:events';
import type { DataChunk } from '../../../protocol/data-frames.js';
import { ProtocolError, UserError } from '../../../protocol/errors.js';
import type { Link } from '../../../protocol/link.js';
import { DigestMismatchError } from '../../files/file-errors.js';
import type { ReceivedFile } from '../../files/receiving.js';
import { keepYoungGeneration } from '../heap-growth.js';
import type { AfterCommit, TransferRecord } from '../journal/journal.js';
import { IncomingOffers } from './incoming-offers.js';
import { LeftOut } from './left-out.js';
import { OpenReceivings } from './open-receivings.js';
import { ProgressReport } from './progress-report.js';
import { type FileStep, ReceivingRun } from './receiving-run.js';
import { Retries } from './retries.js';
import { endWithout, type TransferContext, transferTrouble } from './transfer-context.js';

/** The files that this side has accepted, written as far as they have come, over whatever link there is. */
export class IncomingTransfers {
  readonly offers: IncomingOffers;
  readonly #context: TransferContext;
  readonly #receivings: OpenReceivings;
  readonly #runs = new Map<number, ReceivingRun>();
  /** One start after the other: two at once would write the same file. */
  readonly #starting = new Map<string, Promise<void>>();
  readonly #retries: Retries;
  readonly #discards = new Set<Promise<void>>();
  /** Files that an event has told of: those of an earlier run come again with each link. */
  readonly #told = new WeakSet<ReceivedFile>();
  readonly #leftOut: LeftOut;
  readonly #closing = new AbortController();
  #link: Link | null = null;
  #lastStream = 0;

  constructor(context: TransferContext, defaultInto: string) {
    this.#context = context;
    // Each transfer listens to it while it is being opened, and after a break all that were accepted are.
    setMaxListeners(0, this.#closing.signal);
    this.#receivings = new OpenReceivings(context.journal, defaultInto, this.#closing.signal);
    this.#retries = new Retries(context.emit, (transfer) => this.#beginAgain(transfer));
    this.#leftOut = new LeftOut(context.emit);
    this.offers = new IncomingOffers(context, defaultInto, {
      onManifest: () => this.expect(),
      onAccepted: (record) => this.#begin(record),
    });
  }

  /** There will soon be something to receive. */
  expect(): void {
    this.#receivings.expect();
  }

  /** Reads what an earlier run has left of everything that was accepted. */
  prepare(): void {
    for (const record of this.#accepted()) {
      const { transfer } = record;
      if (this.#starting.has(transfer)) continue;
      // Whatever fails is met again, and told, when there is a link.
      const prepared = this.#prepare(record).catch(() => this.#receivings.doubt(transfer));
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
    this.#retries.cancelAll();
    for (const run of this.#runs.values()) run.stop();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the session was closed'));
    await this.offers.settle();
    this.stop();
    await Promise.all([...this.#runs.values()].map((run) => run.stop()));
    await Promise.all(this.#discards);
    // Ends the reading of what an earlier run has left, for which those that are starting would wait.
    await this.#receivings.suspendAll();
    await Promise.all(this.#starting.values());
    await this.#receivings.suspendAll();
    await this.#receivings.stop();
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
    return this.#receivings.bytesInPlace(transfer);
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
    // Who knows when there will be something to put into one.
    if (!this.#receivings.hasFolder(record)) return;
    const receiving = await this.#receivings.open(record, this.#context.journal.transfers.manifest(record.transfer));
    await receiving.want();
  }

  async #run(record: TransferRecord, link: Link, stream: number): Promise<void> {
    const { transfer } = record;
    await this.#stopRuns(transfer);
    await this.#receivings.letGoOfDoubted(transfer);
    const { journal } = this.#context;
    if (link !== this.#link || link.closed || journal.transfers.find(transfer)?.state !== 'accepted') return;
    const entries = journal.transfers.manifest(transfer);
    const receiving = await this.#receivings.open(record, entries);
    if (link !== this.#link || link.closed) return;
    keepYoungGeneration(record.bytes / entries.length);
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
    this.#retries.succeeded(transfer);
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

  #complete(transfer: string, skipped: number): void {
    const { journal, outbox, emit } = this.#context;
    this.#receivings.forget(transfer);
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
    this.#retries.cancel(transfer);
    await this.#starting.get(transfer);
    await this.#stopRuns(transfer);
    const record = journal.transfers.find(transfer);
    if (record && this.#receivings.hasFolder(record)) {
      const receiving = await this.#receivings.open(record, journal.transfers.manifest(transfer));
      this.#receivings.forget(transfer);
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
    if (error instanceof UserError) this.#receivings.doubt(transfer);
    this.#retries.failed(transfer, error);
  }

  #beginAgain(transfer: string): void {
    const record = this.#context.journal.transfers.find(transfer);
    if (record?.state === 'accepted') this.#begin(record);
  }
}
