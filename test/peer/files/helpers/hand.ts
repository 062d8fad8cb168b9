import type { ReceivedFile, Receiving } from '../../../../src/peer/files/receiving.js';
import type { OwnPiece } from './pieces.js';

/** Hands one piece over as a session would; resolves to the received file at a file's end. */
export async function hand(piece: OwnPiece, receiving: Receiving): Promise<ReceivedFile | null> {
  if (piece.kind === 'resume') await receiving.resume(piece.entry, piece.offset);
  else if (piece.kind === 'data') await receiving.write(piece.entry, piece.offset, piece.bytes);
  else if (piece.kind === 'skip') await receiving.skip(piece.entry);
  else return receiving.fileEnd(piece.entry, piece.size, piece.sha256);
  return null;
}

/** Hands over all files together that follow each other and are whole, as a session does that has them already. */
export async function handTogether(
  pieces: AsyncIterable<OwnPiece>,
  receiving: Receiving,
  tell: (file: ReceivedFile) => void,
): Promise<void> {
  const waiting: { entry: number; bytes: Buffer; sha256: string }[] = [];
  const handOver = async () => {
    while (waiting[0]) {
      const done = await receiving.whole(waiting);
      waiting.splice(0, done.length);
      for (const file of done) tell(file);
    }
  };
  let parts: OwnPiece[] = [];
  for await (const piece of pieces) {
    parts.push(piece);
    if (piece.kind === 'data') continue;
    const data = parts.filter((part) => part.kind === 'data');
    if (piece.kind !== 'fileEnd') await handOver();
    if (piece.kind !== 'fileEnd') await hand(piece, receiving);
    else if (data[0] === undefined || data[0].offset === 0) {
      const bytes = Buffer.concat(data.map((each) => each.bytes));
      waiting.push({ entry: piece.entry, bytes, sha256: piece.sha256.toString('hex') });
    } else {
      for (const part of parts) {
        const file = await hand(part, receiving);
        if (file) tell(file);
      }
    }
    parts = [];
  }
  await handOver();
}
