import { UserError } from '../../protocol/errors.js';
import type { PeerConversation } from '../peer-conversation.js';
import { blockedError, type TalkOptions } from './talk-options.js';

/** `p2p contact block` and `verify` reach a session that is going on, too. */
export function watchContact(
  { home, contact: { contactId } }: TalkOptions,
  conversation: PeerConversation,
  fail: (error: UserError) => void,
) {
  const look = () => {
    const contact = home.contacts.list().find((each) => each.contactId === contactId);
    if (contact) conversation.noteVerified(contact.verified);
    // Not the key that it began with: the person may have followed another since.
    const { id } = conversation.peer();
    if (!home.contacts.isBlocked(id)) return;
    conversation.cut();
    fail(blockedError(contact ?? { name: null, peerId: id }, home));
  };
  const check = () => ignoringDamage(look);
  // `check` once by hand: it may have been blocked while the person typed a passphrase.
  return { check, stop: home.watch(check) };
}

/** Settings that an editor is just writing are looked at again when they are whole. */
function ignoringDamage(look: () => void): void {
  try {
    look();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}
