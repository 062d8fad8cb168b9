import { ExitCode, UserError } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import { compareKeys } from '../key-change.js';

/** The mediator's key must be the one pinned: by hand, or at first use. */
export function mediatorJudge(o: {
  host: string;
  port: number;
  pinned: string | null;
  /** The person named the key: from now on it is the one to expect. */
  byHand: boolean;
  pin(id: string): void;
}): (shown: PublicIdentity) => void {
  let expected = o.pinned;
  let isPinned = expected !== null && !o.byHand;
  return ({ id }) => {
    // From the first key on, not only from the next run: whoever answers a reconnection is as much a stranger.
    expected ??= id;
    if (id === expected) {
      if (!isPinned) o.pin(id);
      isPinned = true;
      return;
    }
    const keys = compareKeys({ label: 'expected', id: expected }, { label: 'shown', id });
    throw new UserError(
      ExitCode.mediatorRefused,
      `the mediator at ${o.host} port ${o.port} shows another key than before:\n${keys}`,
      'Somebody may be standing in its place. Ask whoever runs it; if the change is meant, name the new key once: --mediator-key ID.',
    );
  };
}
