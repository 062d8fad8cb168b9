import type { Piece, Sending } from '../../../../src/peer/files/sending.js';
import type { Wanted } from '../../../../src/peer/files/source-stream.js';
import { DATA_HEAD_BYTES } from '../../../../src/protocol/data-frames.js';

/** A piece in memory of its own. */
export type OwnPiece =
  | Exclude<Piece, { kind: 'data' | 'wholeFiles' }>
  | { kind: 'data'; entry: number; offset: number; bytes: Buffer };

/** One by one. */
export async function* ownPieces(sending: Sending, wanted: Wanted, signal: AbortSignal): AsyncGenerator<OwnPiece> {
  for await (const pieces of sending.pieces(wanted, signal)) for (const piece of pieces) yield own(piece);
}

export function own(piece: Piece): OwnPiece {
  switch (piece.kind) {
    case 'resume':
    case 'skip':
      return piece;
    case 'data': {
      const { kind, entry, offset, frame } = piece;
      return { kind, entry, offset, bytes: Buffer.from(frame.subarray(DATA_HEAD_BYTES)) };
    }
    case 'wholeFiles':
      throw new Error('whole files that nobody asked for');
    case 'fileEnd':
      return { ...piece, sha256: Buffer.from(piece.sha256) };
  }
}
