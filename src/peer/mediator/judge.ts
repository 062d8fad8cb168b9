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
  return ({ id }) => {
    if (o.pinned === null || (o.byHand && id === o.pinned)) {
      o.pin(id);
      return;
    }
    if (id === o.pinned) return;
    const keys = compareKeys({ label: 'expected', id: o.pinned }, { label: 'shown', id });
    throw new UserError(
      ExitCode.mediatorRefused,
      `the mediator at ${o.host} port ${o.port} shows another key than before:\n${keys}`,
      'Somebody may be standing in its place. Ask whoever runs it; if the change is meant, name the new key once: --mediator-key ID.',
    );
  };
}
