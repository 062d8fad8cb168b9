import { ProtocolError } from '../../protocol/errors.js';
import type { MediatorMessage } from '../../protocol/messages.js';
import { withDeadline } from '../deadline.js';
import type { MediatorConnection } from '../mediator/connection.js';

const ANSWER_MS = 5_000;
/** Of other messages in between. Nobody is introduced here, so there is hardly any. */
const MAX_OTHERS = 16;

export type Probes = Extract<MediatorMessage, { kind: 'probes' }>;

/** Where the mediator answers UDP, and the key for it, without being introduced to anybody. */
export function askForProbes({ stream }: MediatorConnection, signal: AbortSignal): Promise<Probes> {
  return withDeadline(ANSWER_MS, signal, async (until) => {
    stream.send({ kind: 'wantProbes' });
    for (let others = 0; others < MAX_OTHERS; others += 1) {
      const message = await stream.next(until);
      if (message.kind === 'probes') return message;
    }
    throw new ProtocolError('the mediator says much, but not where it answers UDP');
  });
}
