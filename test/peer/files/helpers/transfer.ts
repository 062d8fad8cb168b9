import type { Confinement } from '../../../../src/peer/files/folder.js';
import { type ReceivedFile, Receiving } from '../../../../src/peer/files/receiving.js';
import type { Sending } from '../../../../src/peer/files/sending.js';
import type { ManifestEntry } from '../../../../src/protocol/messages.js';
import { hand } from './hand.js';
import { type OwnPiece, ownPieces } from './pieces.js';
import { never } from './scratch.js';

export const TRANSFER = 'ab'.repeat(16);

export interface MemoryStore {
  json: string;
  saves: number;
  load(): string;
  save(json: string): void;
}

export function memoryStore(): MemoryStore {
  return {
    json: '',
    saves: 0,
    load() {
      return this.json;
    },
    save(json) {
      this.json = json;
      this.saves++;
    },
  };
}

export function openReceiving(
  entries: readonly ManifestEntry[],
  into: string,
  store = memoryStore(),
  confinement: Confinement = 'held',
): Promise<Receiving> {
  return Receiving.open({ transfer: TRANSFER, entries, into, store, signal: never, confinement });
}

/** Runs until nothing is left, or until `until` says stop after a piece. */
export async function run(
  sending: Sending,
  receiving: Receiving,
  until: (piece: OwnPiece) => boolean = () => false,
): Promise<{ files: ReceivedFile[]; pieces: OwnPiece[] }> {
  const files: ReceivedFile[] = [];
  const pieces: OwnPiece[] = [];
  for await (const piece of ownPieces(sending, await receiving.want(), never)) {
    pieces.push(piece);
    const file = await hand(piece, receiving);
    if (file) files.push(file);
    if (until(piece)) break;
  }
  return { files, pieces };
}
