import { randomUUID } from 'node:crypto';
import { MANIFEST_PART_BYTES } from '../../../protocol/constants.js';
import { ExitCode, errorMessage, UserError } from '../../../protocol/errors.js';
import type { ItemBody, ManifestEntry } from '../../../protocol/messages.js';
import { sanitiseLine } from '../../../protocol/sanitise.js';
import type { SessionEvent } from '../events.js';
import type { Journal, TransferRecord } from '../journal/journal.js';
import type { Outbox } from '../outbox.js';

/** What both directions of file transfer share of the session. */
export interface TransferContext {
  journal: Journal;
  outbox: Outbox;
  emit(event: SessionEvent): void;
}

export type TransferItem = Extract<ItemBody, { transfer: string }>;

export function newTransferId(): string {
  return randomUUID().replaceAll('-', '');
}

export function unknownTransfer(transfer: string): UserError {
  return new UserError(
    ExitCode.usage,
    `there is no transfer ${transfer} that this could be said of`,
    'See the transfers under way with: status',
  );
}

/** What went wrong with a transfer, for the person; the transfer itself is not given up. */
export function transferTrouble(transfer: string, error: unknown): SessionEvent {
  return {
    event: 'error',
    code: ExitCode.transferIncomplete,
    message: sanitiseLine(errorMessage(error)),
    hint: error instanceof UserError ? error.hint : 'The transfer goes on by itself when it can.',
    transfer,
  };
}

/** How a transfer is noted to have ended, `skipped` files of which its sender left out. */
export function endWithout(
  skipped: number,
  sender: 'me' | 'peer',
): Pick<TransferRecord, 'outcome'> & { cancelledBy?: 'me' | 'peer' } {
  return skipped > 0 ? { outcome: 'cancelled', cancelledBy: sender } : { outcome: 'transferred' };
}

/** Room for an entry's numbers and tags on the wire, beside its path. */
const ENTRY_OVERHEAD_BYTES = 40;

/** Cuts a manifest into parts that fit a frame each. */
export function manifestParts(transfer: string, entries: readonly ManifestEntry[]): ItemBody[] {
  const parts: ItemBody[] = [];
  let part: ManifestEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.path) + ENTRY_OVERHEAD_BYTES;
    if (bytes + size > MANIFEST_PART_BYTES && part.length > 0) {
      parts.push({ kind: 'manifestPart', transfer, entries: part });
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += size;
  }
  if (part.length > 0) parts.push({ kind: 'manifestPart', transfer, entries: part });
  return parts;
}
