import { type ExitCode, UserError } from '../../protocol/errors.js';
import { shortId } from '../../protocol/identity.js';
import { certificatesOf } from '../certificates.js';
import { mediatorJudge } from '../mediator/judge.js';
import { PeerConversation } from '../peer-conversation.js';
import { Journal } from '../session/journal/journal.js';
import { watchContact } from './contact-watch.js';
import { followPeer } from './follow.js';
import { openFace } from './open-face.js';
import { interruption, newFailure, watchDeadline, watchSignals } from './session-ends.js';
import type { TalkOptions } from './talk-options.js';
import { journalKeys } from './whom.js';

/**
 * Opens the session and shows it until it ends: by the person, a signal, the deadline, or because nothing more can come
 * of it. Throws a UserError where the program should end with one.
 */
export async function talk(options: TalkOptions): Promise<ExitCode> {
  const journal = Journal.open({
    directory: options.home.contactDirectory(options.contact.contactId),
    ...journalKeys(options.own),
  });
  const fatal = newFailure();
  const certificates = await certificatesOf(options.own.line, journal);
  const conversation = converse(options, journal, certificates, fatal.fail);
  const face = await openFace(options, conversation);
  const deadline = watchDeadline(options.timeoutMs, conversation, fatal.fail);
  const interrupted = interruption(options);
  const signals = watchSignals(interrupted?.exitCode);
  const left = signals.ended.then((code) => {
    if (interrupted) throw interrupted;
    return code;
  });
  const contact = watchContact(options, conversation, fatal.fail);
  try {
    conversation.start();
    contact.check();
    return await Promise.race([face.done, fatal.failed, left]);
  } catch (error) {
    if (!options.json || !(error instanceof UserError)) throw error;
    conversation.fail(error);
    return error.exitCode;
  } finally {
    deadline.stop();
    contact.stop();
    await conversation.quit();
    face.stop();
    signals.stop();
  }
}

function converse(
  options: TalkOptions,
  journal: Journal,
  certificates: ReadonlyMap<string, string>,
  onFatal: (error: UserError) => void,
): PeerConversation {
  const { host, port, own, peer, contact, home, paths, hostCandidates, portMapping, mediatorKey } = options;
  return new PeerConversation({
    host,
    port,
    own,
    certificates,
    peer,
    card: { id: peer.id, name: contact.name ?? shortId(peer.id), verified: contact.verified },
    journal,
    allowed: paths,
    hostCandidates,
    portMapping,
    defaultInto: options.terminal.cwd,
    judgeMediator: mediatorJudge({
      host,
      port,
      pinned: mediatorKey ?? home.pinnedMediator(host, port),
      byHand: mediatorKey !== null,
      pin: (id) => {
        if (home.pinnedMediator(host, port) !== id) home.pinMediator(host, port, id);
      },
    }),
    saveVerified: (verified) => {
      home.updateContact(contact.contactId, { verified });
    },
    onKnownAs: ({ id }) => home.updateContact(contact.contactId, { ownId: id }),
    onFollow: (followed) => followPeer(home, contact.contactId, followed),
    onFatal,
  });
}
