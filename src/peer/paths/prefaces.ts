import { ProtocolError } from '../../protocol/errors.js';
import { readNoFurther } from '../../protocol/lent-reads.js';
import { PREFACE_BYTES, prefaceMatches, prefaceOf, readPreface } from '../../protocol/preface.js';
import type { Role } from '../../protocol/transcripts.js';
import type { OpenedStream } from './path.js';

/**
 * The opener speaks first, with the first of its tokens; whoever accepted says nothing to a stream that does not know
 * one of them, so that a port scanner learns no name.
 */
export async function exchangePrefaces(
  { stream, dialled }: OpenedStream,
  tokens: readonly Buffer[],
  role: Role,
  signal: AbortSignal,
): Promise<void> {
  // The client's TLS may follow without a pause. What node:tls is handed of it, and does not read itself, it takes for
  // the measure of its buffers for good: it would read 1 KiB and 16 KiB in turn, which costs a fast receiver a third.
  if (role === 'server') readNoFurther(stream, PREFACE_BYTES);
  const spoken = tokens[0];
  if (dialled && spoken) stream.write(prefaceOf(spoken, role));
  const theirs = await readPreface(stream, signal);
  const token = tokens.find((each) => prefaceMatches(theirs, each, role === 'client' ? 'server' : 'client'));
  if (!token) throw new ProtocolError('the preface is not of this introduction');
  if (!dialled) stream.write(prefaceOf(token, role));
}
