import { ProtocolError } from '../../protocol/errors.js';
import { prefaceMatches, prefaceOf, readPreface } from '../../protocol/preface.js';
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
  const spoken = tokens[0];
  if (dialled && spoken) stream.write(prefaceOf(spoken, role));
  const theirs = await readPreface(stream, signal);
  const token = tokens.find((each) => prefaceMatches(theirs, each, role === 'client' ? 'server' : 'client'));
  if (!token) throw new ProtocolError('the preface is not of this introduction');
  if (!dialled) stream.write(prefaceOf(token, role));
}
