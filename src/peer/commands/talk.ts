import { type ExitCode, UserError } from '../../protocol/errors.js';
import { shortId } from '../../protocol/identity.js';
import { certificatesOf } from '../keys/certificates.js';
import { mediatorJudge } from '../mediator/judge.js';
import { PeerConversation } from '../peer-conversation.js';
import type { Journal } from '../session/journal/journal.js';
import { whenWritten } from '../ui/output.js';
import { quoteWord } from '../ui/shell-words.js';
import { watchContact } from './contact-watch.js';
import { followPeer } from './follow.js';
import { openFace } from './open-face.js';
import { openJournal } from './open-journal.js';
import { interruption, newFailure, watchDeadline, watchSignals } from './session-ends.js';
import type { Purpose, TalkOptions } from './talk-options.js';

/** More paths than this are not repeated. */
const MAX_NAMED = 5;

/**
 * Opens the session and shows it until it ends: by the person, a signal, the deadline, or because nothing more can come
 * of it. Throws a UserError where the program should end with one.
 */
export async function talk(options: TalkOptions): Promise<ExitCode> {
  const journal = openJournal(options, insteadOf(options.purpose));
  const fatal = newFailure();
  const certificates = await certificatesOf(options.own.line, journal.memory);
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

function pipeCommand({ home, contact: { name, host, port, keys, peerFile = 'FILE' } }: TalkOptions): string {
  if (name !== null) return home.command('pipe', '--to', name);
  return home.command('pipe', '--host', host, '--port', String(port), '--keys', keys, '--peer', peerFile);
}

/** What to do in the chat that is open already. */
function insteadOf(purpose: Purpose): string {
  switch (purpose.kind) {
    case 'chat':
      return 'Go on there, or end it first.';
    case 'send': {
      const files =
        purpose.files.length <= MAX_NAMED ? purpose.files.map((file) => quoteWord(file)).join(' ') : 'PATH…';
      return `End it first or, if it is a chat, type there: /send ${files}`;
    }
    case 'receive':
      return 'End it first or, if it is a chat, take there what is offered: /accept [N] [FOLDER]';
    case 'pipe':
      return 'End it first, or wait until it has ended.';
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
    whenShown: (then) => whenWritten(options.terminal.output, then),
    pipeCommand: pipeCommand(options),
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
      home.contacts.update(contact.contactId, { verified });
    },
    onKnownAs: ({ id }) => home.contacts.update(contact.contactId, { ownId: id }),
    onFollow: (followed) => followPeer(home, contact.contactId, followed),
    onFatal,
  });
}
