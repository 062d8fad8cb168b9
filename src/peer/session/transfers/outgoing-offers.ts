import { isDeepStrictEqual } from 'node:util';
import { ExitCode, UserError } from '../../../protocol/errors.js';
import { sanitiseLine } from '../../../protocol/sanitise.js';
import { type LocalManifest, offeredFiles, readManifest } from '../../files/manifest.js';
import type { ReaderThread } from '../../files/reader-thread.js';
import type { Appended } from '../journal/journal.js';
import { manifestParts, newTransferId, type TransferContext } from './transfer-context.js';

/** Of what is left out of an offer: a folder may hold thousands of links. */
const MAX_NAMED = 5;

/** What this side offers, from the paths that the person names to the offer on its way. */
export class OutgoingOffers {
  readonly #context: TransferContext;
  readonly #reader: ReaderThread;

  constructor(context: TransferContext, reader: ReaderThread) {
    this.#context = context;
    this.#reader = reader;
  }

  /** Goes on with a transfer of just these files that an earlier run began, else offers them. */
  async resumeOrOffer(paths: string[], signal: AbortSignal): Promise<string> {
    const manifest = await readManifest(paths, this.#reader, signal);
    return this.#unfinished(manifest) ?? this.#offer(manifest, undefined);
  }

  async offer(paths: string[], ref: string | undefined, signal: AbortSignal): Promise<string> {
    // What was sent before need not be there any more.
    return this.#offeredBefore(ref) ?? this.#offer(await readManifest(paths, this.#reader, signal), ref);
  }

  /**
   * The peer has lost what it had acknowledged, and with it perhaps what was offered: what it still has it passes over.
   * Inside the journal's transaction.
   */
  offerAgain(): void {
    const { journal } = this.#context;
    for (const { transfer, direction, state, entries, bytes } of journal.transfers.unfinished()) {
      if (direction !== 'send' || state === 'finished') continue;
      for (const part of manifestParts(transfer, journal.transfers.manifest(transfer)))
        journal.append(part, Date.now());
      journal.append({ kind: 'offer', transfer, entries, bytes }, Date.now());
    }
  }

  #offeredBefore(ref: string | undefined): string | null {
    const { journal } = this.#context;
    const known = ref === undefined ? null : journal.byRef(ref);
    if (!known || ref === undefined) return null;
    const transfer = transferOf(known);
    if (journal.isFromBefore(known)) this.#tellAgain(transfer, ref);
    return transfer;
  }

  #unfinished({ entries, sources }: LocalManifest): string | null {
    const { journal } = this.#context;
    const same = journal.transfers
      .unfinished()
      .filter(({ direction }) => direction === 'send')
      .filter((record) => isDeepStrictEqual(record.sources, sources))
      .find(({ transfer }) => isDeepStrictEqual(journal.transfers.manifest(transfer), entries));
    return same?.transfer ?? null;
  }

  #offer({ entries, sources, skipped }: LocalManifest, ref: string | undefined): string {
    const { journal, outbox, emit } = this.#context;
    const transfer = newTransferId();
    const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
    const first = journal.transaction(() => {
      const known = ref === undefined ? null : journal.byRef(ref);
      if (known) return known;
      for (const part of manifestParts(transfer, entries)) journal.append(part, Date.now());
      journal.append({ kind: 'offer', transfer, entries: entries.length, bytes }, Date.now(), ref);
      journal.transfers.save({
        transfer,
        direction: 'send',
        state: 'offered',
        outcome: null,
        into: null,
        sources,
        ref: ref ?? null,
        bytes,
        entries: entries.length,
        progress: '',
        announced: true,
      });
      journal.transfers.addManifest(transfer, entries);
      return null;
    });
    if (first) return transferOf(first);
    emit({ event: 'offered', transfer, files: offeredFiles(entries), ...(ref !== undefined && { ref }) });
    this.#warnSkipped(transfer, skipped);
    outbox.flush();
    return transfer;
  }

  /** The run that took the ref first may have been killed before it could tell of the offer, or of its end. */
  #tellAgain(transfer: string, ref: string): void {
    const { journal, emit } = this.#context;
    const record = journal.transfers.find(transfer);
    if (!record) return;
    emit({
      event: 'offered',
      transfer,
      files: offeredFiles(journal.transfers.manifest(transfer)),
      ref,
      replayed: true,
    });
    if (record.outcome === 'cancelled') emit({ event: 'cancelled', transfer, by: record.cancelledBy ?? 'me' });
    else if (record.outcome) emit({ event: record.outcome, transfer });
  }

  #warnSkipped(transfer: string, skipped: readonly string[]): void {
    if (skipped.length === 0) return;
    const named = skipped.slice(0, MAX_NAMED).map((path) => `"${sanitiseLine(path)}"`);
    const rest = skipped.length - named.length;
    this.#context.emit({
      event: 'error',
      code: ExitCode.usage,
      message: `left out: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`,
      hint: 'Links inside folders, sockets, devices and names that are not UTF-8 are not sent.',
      transfer,
    });
  }
}

function transferOf({ item }: Appended): string {
  if (item.body.kind === 'offer') return item.body.transfer;
  throw new UserError(ExitCode.usage, 'this ref was given to a message before', 'Give each act a ref of its own.');
}
