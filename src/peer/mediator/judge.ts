import { ExitCode, UserError } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import { compareKeys } from '../keys/key-change.js';

/**
 * Sees the mediator's key before anything is said to it, and throws to refuse it. What it returns is to be called once
 * the other end has spoken as a mediator does: the key of a web server that answers there is none to remember.
 */
export type Judge = (shown: PublicIdentity) => (() => void) | undefined;

/** The mediator's key must be the one pinned: by hand, or at first use. */
export function mediatorJudge(o: {
  host: string;
  port: number;
  pinned: string | null;
  /** The person named the key: from now on it is the one to expect. */
  byHand: boolean;
  pin(id: string): void;
}): Judge {
  let expected = o.pinned;
  let isPinned = expected !== null && !o.byHand;
  return ({ id }) => {
    const refuseOther = () => {
      if (expected !== null && id !== expected) throw anotherKey(o, expected, id);
    };
    refuseOther();
    return () => {
      refuseOther();
      // From the first key on, not only from the next run: whoever answers a reconnection is as much a stranger.
      expected = id;
      if (!isPinned) o.pin(id);
      isPinned = true;
    };
  };
}

function anotherKey({ host, port }: { host: string; port: number }, expected: string, shown: string): UserError {
  const keys = compareKeys({ label: 'expected', id: expected }, { label: 'shown', id: shown });
  return new UserError(
    ExitCode.mediatorRefused,
    `the mediator at ${host} port ${port} shows another key than before:\n${keys}`,
    'Somebody may be standing in its place. Ask whoever runs it; if the change is meant, name the new key once: --mediator-key ID.',
  );
}
