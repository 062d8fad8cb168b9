import { ExitCode, errorMessage, ProtocolError, UserError } from '../../../protocol/errors.js';
import type { Link } from '../../../protocol/link.js';
import type { ItemBody, PeerMessage, Want } from '../../../protocol/messages.js';
import { sanitiseLine } from '../../../protocol/sanitise.js';
import { SourceChangedError } from '../../files/file-errors.js';
import { ReaderThread } from '../../files/reader-thread.js';
import { Sending } from '../../files/sending.js';
import type { AfterCommit, TransferRecord } from '../journal/journal.js';
import { LeftOut } from './left-out.js';
import { OutgoingOffers } from './outgoing-offers.js';
import { SendingRun } from './sending-run.js';
import { endWithout, type TransferContext, transferTrouble } from './transfer-context.js';

/** Each is journalled until it is acknowledged: a peer that means ill must not fill the disk by wanting what never was. */
const MAX_SAID_GONE = 1000;
const SEND_AGAIN = 'Send it again when it no longer changes.';

/** The files that this side sends: streams what the receiver wants for as long as there is a link. */
export class OutgoingTransfers {
  readonly offers: OutgoingOffers;
  readonly #context: TransferContext;
  readonly #reader = new ReaderThread();
  readonly #sendings = new Map<string, Sending>();
  readonly #runs = new Map<number, SendingRun>();
  /** One stream after the other: a peer that wants and wants must not make us open file upon file. */
  readonly #running = new Map<string, Promise<void>>();
  /** Transfers that were wanted and are gone here. */
  readonly #saidGone = new Set<string>();
  readonly #leftOut: LeftOut;
  #link: Link | null = null;

  constructor(context: TransferContext) {
    this.#context = context;
    this.#leftOut = new LeftOut(context.emit);
    this.offers = new OutgoingOffers(context, this.#reader);
  }

  /** Reads what the receiver, which has been started anew as well, may have of an earlier run. */
  prepare(): void {
    for (const record of this.#context.journal.transfers.unfinished()) {
      const isOfEarlierRun = record.state === 'accepted' && !this.#sendings.has(record.transfer);
      if (record.direction === 'send' && isOfEarlierRun && record.entries === 1) this.#sendingOf(record).warmUp();
    }
  }

  start(link: Link): void {
    this.#link = link;
    this.prepare();
  }

  /** Stops every stream; the receiver says again what it wants when there is a link again. */
  stop(): void {
    this.#link = null;
    for (const run of this.#runs.values()) run.stop();
    this.#runs.clear();
  }

  async close(): Promise<void> {
    this.stop();
    await Promise.all([...this.#sendings.values()].map((sending) => sending.close()));
    await this.#reader.stop();
  }

  /** The receiver accepted, declined, or has everything. Inside the journal's transaction. */
  settle(record: TransferRecord, item: Extract<ItemBody, { kind: 'accept' | 'decline' | 'done' }>): AfterCommit {
    const { journal, emit } = this.#context;
    const { transfer } = record;
    switch (item.kind) {
      case 'accept':
        if (record.state !== 'offered') return () => {};
        journal.transfers.save({ ...record, state: 'accepted' });
        return () => emit({ event: 'accepted', transfer, into: null });
      case 'decline': {
        const reason = sanitiseLine(item.reason);
        journal.transfers.save({ ...record, state: 'finished', outcome: 'declined' });
        return () => {
          this.#forget(transfer);
          emit({ event: 'declined', transfer, ...(reason && { reason }) });
        };
      }
      case 'done': {
        const { skipped = 0 } = item;
        journal.transfers.save({ ...record, state: 'finished', ...endWithout(skipped, 'me') });
        return () => {
          this.#runOf(transfer)?.finish();
          this.#forget(transfer);
          if (skipped > 0) this.#leftOut.end(transfer, 'me', skipped);
          else emit({ event: 'transferred', transfer });
        };
      }
    }
  }

  /** The transfer is over for another reason; nothing of it is sent any more. */
  drop(transfer: string): void {
    this.#forget(transfer);
  }

  want(want: Want): void {
    const link = this.#link;
    const record = this.#context.journal.transfers.find(want.transfer);
    if (!link || record?.direction === 'receive') return;
    if (!record || record.state === 'finished') {
      this.#sayGone(want.transfer);
      return;
    }
    const before = this.#runs.get(want.stream);
    if (before && before.transfer !== want.transfer) throw new ProtocolError('one stream for two transfers');
    this.#stopRun(want.transfer);
    // A want says so too, and may overtake an acceptance that waits for its turn in the outbox.
    this.#context.journal.transaction(() => this.settle(record, { kind: 'accept', transfer: want.transfer }))();
    const { emit } = this.#context;
    const onSkip = (file: string, why: Error) => this.#skipped(want.transfer, file, why);
    const run = new SendingRun({ link, want, total: record.bytes, sending: this.#sendingOf(record), emit, onSkip });
    this.#runs.set(want.stream, run);
    const ended = this.#running.get(want.transfer) ?? Promise.resolve();
    this.#running.set(
      want.transfer,
      ended.then(() => run.run()).catch((error) => this.#failed(record, error)),
    );
  }

  #skipped(transfer: string, file: string, why: Error): void {
    const hint = why instanceof UserError ? why.hint : SEND_AGAIN;
    this.#leftOut.tell(transfer, file, { message: `${why.message}, and is left out`, hint });
  }

  /**
   * One side was restored from a backup, and this one knows nothing of it or that it is over; or it was cancelled while
   * the want was on its way, and the peer passes over the second word.
   */
  #sayGone(transfer: string): void {
    if (this.#saidGone.has(transfer) || this.#saidGone.size >= MAX_SAID_GONE) return;
    this.#saidGone.add(transfer);
    this.#context.outbox.append([{ kind: 'cancel', transfer, reason: 'the sender knows nothing of it any more' }]);
  }

  consumed(message: Extract<PeerMessage, { kind: 'consumed' }>): void {
    // A stream that has just been replaced may still be acknowledged.
    this.#runs.get(message.stream)?.consumed(message.bytes);
  }

  drained(): void {
    for (const run of this.#runs.values()) run.wake();
  }

  bytesSent(transfer: string): number {
    return this.#runOf(transfer)?.bytes ?? 0;
  }

  #sendingOf(record: TransferRecord): Sending {
    const { transfer, sources } = record;
    let sending = this.#sendings.get(transfer);
    if (!sending) {
      sending = new Sending({
        sources,
        entries: this.#context.journal.transfers.manifest(transfer),
        reader: this.#reader,
      });
      this.#sendings.set(transfer, sending);
    }
    return sending;
  }

  #runOf(transfer: string): SendingRun | undefined {
    return [...this.#runs.values()].find((run) => run.transfer === transfer);
  }

  #forget(transfer: string): void {
    this.#stopRun(transfer);
    this.#sendings.get(transfer)?.close();
    this.#sendings.delete(transfer);
    this.#running.delete(transfer);
    this.#leftOut.forget(transfer);
  }

  #stopRun(transfer: string): void {
    for (const [stream, run] of this.#runs) {
      if (run.transfer !== transfer) continue;
      run.stop();
      this.#runs.delete(stream);
    }
  }

  /** What cannot be sent any more, and cannot be left out either, ends the transfer: the receiver was promised something else. */
  #failed(record: TransferRecord, error: unknown): void {
    if (error instanceof ProtocolError) {
      this.#link?.destroy(error);
      return;
    }
    const { transfer } = record;
    const { journal, outbox, emit } = this.#context;
    if (!(error instanceof SourceChangedError || error instanceof UserError)) throw error;
    this.#forget(transfer);
    const reason = sanitiseLine(errorMessage(error));
    try {
      journal.transaction(() => {
        journal.append({ kind: 'cancel', transfer, reason }, Date.now());
        journal.transfers.save({ ...record, state: 'finished', outcome: 'cancelled', cancelledBy: 'me' });
      });
    } catch (full) {
      // It fails again, and is then given up, when the receiver asks for it over the next link.
      if (!(full instanceof UserError)) throw full;
      emit(transferTrouble(transfer, full));
      return;
    }
    outbox.flush();
    emit({
      event: 'error',
      code: ExitCode.transferIncomplete,
      message: reason,
      hint: error instanceof UserError ? error.hint : SEND_AGAIN,
      transfer,
    });
    emit({ event: 'cancelled', transfer, by: 'me', reason });
  }
}
