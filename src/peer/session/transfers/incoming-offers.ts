import path from 'node:path';
import { MAX_MANIFEST_BYTES, MAX_MANIFEST_ENTRIES } from '../../../protocol/constants.js';
import { ExitCode, ProtocolError, UserError } from '../../../protocol/errors.js';
import type { ManifestEntry } from '../../../protocol/messages.js';
import { describeSystemError } from '../../../shared/system-error.js';
import { makeFolder } from '../../files/make-folder.js';
import { checkManifest, offeredFiles } from '../../files/manifest.js';
import { ensureRoom } from '../../files/space.js';
import type { AfterCommit, TransferRecord } from '../journal/journal.js';
import { type TransferContext, transferTrouble, unknownTransfer } from './transfer-context.js';

/** Offers that may wait for an answer; a peer that makes more is declined. */
const MAX_OPEN_OFFERS = 100;

export interface IncomingOffersHandlers {
  /** A manifest begins to come in. */
  onManifest(): void;
  onAccepted(record: TransferRecord): void;
}

/** What the peer offers, from the first part of its manifest to the person's answer. */
export class IncomingOffers {
  readonly #context: TransferContext;
  readonly #accepting = new Set<Promise<void>>();
  readonly #defaultInto: string;
  readonly #handlers: IncomingOffersHandlers;

  constructor(context: TransferContext, defaultInto: string, handlers: IncomingOffersHandlers) {
    this.#context = context;
    this.#defaultInto = defaultInto;
    this.#handlers = handlers;
  }

  /** Offers from before a restart that nobody has answered yet. */
  replay(): void {
    for (const { transfer, direction, state } of this.#context.journal.transfers.unfinished()) {
      if (direction === 'receive' && state === 'offered') {
        this.#announce(transfer, this.#context.journal.transfers.manifest(transfer), true);
      }
    }
  }

  /** Inside the journal's transaction. */
  manifestPart(transfer: string, entries: ManifestEntry[]): AfterCommit {
    const { journal } = this.#context;
    const record = journal.transfers.find(transfer);
    if (record && !isComingIn(record)) return () => {};
    if (!record) this.#dropUnfinishedManifest();
    const held = journal.transfers.manifestSize(transfer);
    if (held.entries + entries.length > MAX_MANIFEST_ENTRIES || held.bytes > MAX_MANIFEST_BYTES) {
      throw new ProtocolError('a manifest beyond all bounds');
    }
    if (!record) journal.transfers.save(newRecord(transfer));
    journal.transfers.addManifest(transfer, entries);
    return () => this.#handlers.onManifest();
  }

  /** Peers send one manifest after the other: what was begun before belongs to an offer that will never come. */
  #dropUnfinishedManifest(): void {
    const { journal } = this.#context;
    for (const record of journal.transfers.unfinished()) {
      if (record.state === 'incoming') journal.transfers.save({ ...record, state: 'finished', outcome: 'cancelled' });
    }
  }

  /** Inside the journal's transaction. */
  offer(transfer: string, count: number, bytes: number): AfterCommit {
    const { journal, outbox, emit } = this.#context;
    const record = journal.transfers.find(transfer) ?? newRecord(transfer);
    if (!isComingIn(record)) return () => {};
    const entries = journal.transfers.manifest(transfer);
    // Parts of it came here before this journal was lost, and will not come again.
    const objection = entries.length === count ? this.#objectionTo(entries, bytes) : 'its list of files is incomplete';
    if (objection) {
      journal.transfers.save({ ...record, state: 'finished', outcome: 'declined' });
      journal.append({ kind: 'decline', transfer, reason: objection }, Date.now());
      return () => {
        emit(transferTrouble(transfer, refusal(objection)));
        outbox.flush();
      };
    }
    journal.transfers.save({ ...record, state: 'offered', bytes, entries: count });
    return () => this.#announce(transfer, entries, false);
  }

  /** Why an offer is declined without asking anyone, if it is. */
  #objectionTo(entries: ManifestEntry[], bytes: number): string | null {
    const open = this.#context.journal.transfers
      .unfinished()
      .filter(({ direction, state }) => direction === 'receive' && state === 'offered');
    if (open.length >= MAX_OPEN_OFFERS) return 'too many offers are waiting for an answer';
    try {
      checkManifest(entries);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.message;
    }
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    return total === bytes ? null : 'its sizes do not add up';
  }

  accept(transfer: string, into: string | undefined): Promise<void> {
    const accepting = this.#accept(transfer, into);
    const settled = accepting.catch(() => {}).finally(() => this.#accepting.delete(settled));
    this.#accepting.add(settled);
    return accepting;
  }

  /** Resolves when no folder is being made for anyone any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#accepting);
  }

  async #accept(transfer: string, into: string | undefined): Promise<void> {
    const { journal, outbox, emit } = this.#context;
    const record = this.#offered(transfer);
    const folder = path.resolve(into ?? this.#defaultInto);
    await ensureRoom(folder, record.bytes);
    await makeOrExplain(folder);
    // It may have been answered or cancelled while the disk was asked.
    const current = this.#offered(transfer);
    const accepted: TransferRecord = { ...current, state: 'accepted', into: folder };
    journal.transaction(() => {
      journal.transfers.save(accepted);
      journal.append({ kind: 'accept', transfer }, Date.now());
    });
    emit({ event: 'accepted', transfer, into: folder });
    outbox.flush();
    this.#handlers.onAccepted(accepted);
  }

  decline(transfer: string): void {
    const { journal, outbox, emit } = this.#context;
    const record = this.#offered(transfer);
    journal.transaction(() => {
      journal.transfers.save({ ...record, state: 'finished', outcome: 'declined' });
      journal.append({ kind: 'decline', transfer, reason: '' }, Date.now());
    });
    emit({ event: 'declined', transfer });
    outbox.flush();
  }

  #offered(transfer: string): TransferRecord {
    const record = this.#context.journal.transfers.find(transfer);
    if (record?.direction !== 'receive' || record.state !== 'offered') throw unknownTransfer(transfer);
    return record;
  }

  #announce(transfer: string, entries: readonly ManifestEntry[], replayed: boolean): void {
    const files = offeredFiles(entries);
    this.#context.emit({ event: 'offer', transfer, files, ...(replayed && { replayed }) });
  }
}

function refusal(objection: string): UserError {
  const hint = 'Nothing was written, and you need not answer: it was declined for you.';
  return new UserError(ExitCode.transferIncomplete, `an offer of files was refused: ${objection}`, hint);
}

/** A peer whose journal was restored from a backup may offer again what is here already: that is passed over. */
function isComingIn({ direction, state }: TransferRecord): boolean {
  return direction === 'receive' && state === 'incoming';
}

function newRecord(transfer: string): TransferRecord {
  return {
    transfer,
    direction: 'receive',
    state: 'incoming',
    outcome: null,
    into: null,
    sources: [],
    ref: null,
    bytes: 0,
    entries: 0,
    progress: '',
    announced: false,
  };
}

async function makeOrExplain(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
  } catch (error) {
    throw new UserError(
      ExitCode.transferIncomplete,
      `the folder ${folder} cannot be made: ${describeSystemError(error)}`,
      'Choose another folder to receive into.',
      { cause: error },
    );
  }
}
