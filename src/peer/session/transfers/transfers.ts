import type { DataChunk } from '../../../protocol/data-frames.js';
import { ProtocolError } from '../../../protocol/errors.js';
import type { Link } from '../../../protocol/link.js';
import { sanitiseLine } from '../../../protocol/sanitise.js';
import { offeredFiles } from '../../files/manifest.js';
import type { TransferStatus } from '../events.js';
import type { AfterCommit, TransferRecord } from '../journal/journal.js';
import type { ContentMessage } from '../links.js';
import { IncomingTransfers } from './incoming-transfers.js';
import { OutgoingTransfers } from './outgoing-transfers.js';
import type { FileStep } from './receiving-run.js';
import { type TransferContext, type TransferItem, unknownTransfer } from './transfer-context.js';

/** What people are told of a manifest that is not shown whole. */
type Contents = Pick<TransferStatus, 'name' | 'files'>;

/** File transfers of both directions: finds whose each command, item and message is. */
export class Transfers {
  readonly incoming: IncomingTransfers;
  readonly outgoing: OutgoingTransfers;
  readonly #context: TransferContext;
  /** Of the open transfers. A manifest may be long to read, and a face asks for its status many times a second. */
  #contents = new Map<string, Contents>();

  constructor(context: TransferContext, defaultInto: string) {
    this.#context = context;
    this.incoming = new IncomingTransfers(context, defaultInto);
    this.outgoing = new OutgoingTransfers(context);
  }

  /** What both sides have of files that were on their way is read while the link is being opened. */
  prepare(): void {
    this.outgoing.prepare();
    this.incoming.prepare();
  }

  start(link: Link): void {
    this.outgoing.start(link);
    this.incoming.start(link);
  }

  stop(): void {
    this.outgoing.stop();
    this.incoming.stop();
  }

  async close(): Promise<void> {
    await Promise.all([this.outgoing.close(), this.incoming.close()]);
  }

  cancel(transfer: string): void {
    const { journal, outbox, emit } = this.#context;
    const record = journal.transfers.find(transfer);
    if (record?.state !== 'offered' && record?.state !== 'accepted') throw unknownTransfer(transfer);
    const dropped = journal.transaction(() => {
      journal.append({ kind: 'cancel', transfer, reason: '' }, Date.now());
      return this.#drop(record, 'me');
    });
    dropped();
    outbox.flush();
    emit({ event: 'cancelled', transfer, by: 'me' });
  }

  /** One of the peer's items about a transfer, inside the journal's transaction. */
  apply(item: TransferItem): AfterCommit {
    const { journal } = this.#context;
    switch (item.kind) {
      case 'manifestPart':
        return this.incoming.offers.manifestPart(item.transfer, item.entries);
      case 'offer':
        return this.incoming.offers.offer(item.transfer, item.entries, item.bytes);
      case 'cancel':
        return this.#cancelledByPeer(item.transfer, sanitiseLine(item.reason));
      default: {
        const record = journal.transfers.find(item.transfer);
        // Forgotten here, as after a restored backup. To refuse it would end every link that it comes over again.
        if (!record) return () => {};
        if (record.direction !== 'send') throw new ProtocolError(`${item.kind} of what was not offered`);
        // Both sides may have ended it at the same time, each in its own way: the first word here counts.
        if (record.state === 'finished') return () => {};
        return this.outgoing.settle(record, item);
      }
    }
  }

  message(message: Extract<ContentMessage, { kind: 'want' | 'consumed' }> | FileStep): void {
    switch (message.kind) {
      case 'want':
        this.outgoing.want(message);
        break;
      case 'consumed':
        this.outgoing.consumed(message);
        break;
      default:
        this.incoming.step(message);
    }
  }

  data(chunk: DataChunk): void {
    this.incoming.data(chunk);
  }

  statuses(): TransferStatus[] {
    const open = this.#context.journal.transfers
      .unfinished()
      .filter(({ state }) => state === 'offered' || state === 'accepted');
    this.#contents = new Map(open.map(({ transfer }) => [transfer, this.#contentsOf(transfer)]));
    return open.map(({ transfer, direction, state, bytes: total }) => ({
      transfer,
      direction,
      state: state === 'accepted' ? 'accepted' : 'offered',
      ...this.#contentsOf(transfer),
      bytes: direction === 'send' ? this.outgoing.bytesSent(transfer) : this.incoming.bytesInPlace(transfer),
      total,
    }));
  }

  #contentsOf(transfer: string): Contents {
    const known = this.#contents.get(transfer);
    if (known) return known;
    const files = offeredFiles(this.#context.journal.transfers.manifest(transfer));
    return { name: files[0]?.name ?? '', files: files.length };
  }

  #cancelledByPeer(transfer: string, reason: string): AfterCommit {
    const record = this.#context.journal.transfers.find(transfer);
    if (!record || record.outcome) return () => {};
    const dropped = this.#drop(record, 'peer');
    return () => {
      dropped();
      if (record.state !== 'incoming') {
        this.#context.emit({ event: 'cancelled', transfer, by: 'peer', ...(reason && { reason }) });
      }
    };
  }

  #drop(record: TransferRecord, cancelledBy: 'me' | 'peer'): AfterCommit {
    const ended: TransferRecord = { ...record, state: 'finished', outcome: 'cancelled', cancelledBy };
    if (record.direction === 'receive') return this.incoming.drop(ended, record.state === 'accepted');
    this.#context.journal.transfers.save(ended);
    return () => this.outgoing.drop(record.transfer);
  }
}
