import type { ReceivedFile, Receiving } from '../../../../src/peer/files/receiving.js';
import type { Piece } from '../../../../src/peer/files/sending.js';

const RECORD_BYTES = 16_384;

/** Hands one piece over as a session would; resolves to the received file at a file's end. */
export async function hand(piece: Piece, receiving: Receiving): Promise<ReceivedFile | null> {
  if (piece.kind === 'resume') await receiving.resume(piece.entry, piece.offset);
  else if (piece.kind === 'data') await receiving.write(piece.entry, piece.offset, split(piece.bytes));
  else return receiving.fileEnd(piece.entry, piece.size, piece.sha256);
  return null;
}

/** As TLS delivers a chunk. */
function split(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / RECORD_BYTES) }, (_, index) =>
    bytes.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES),
  );
}
