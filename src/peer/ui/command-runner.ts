import { resolve } from 'node:path';
import { ExitCode, UserError } from '../../protocol/errors.js';
import type { Conversation } from '../session/conversation.js';
import type { Command } from './commands.js';
import { disappearingLines, pathLines, searchLines, verificationLines } from './report-wording.js';
import type { TransferBook, TransferEntry } from './transfer-book.js';
import { failureLines, helpLines, type Lines, transferTitle } from './wording.js';

/** What a command needs of the face that it was entered in. */
export interface CommandDesk {
  conversation: Conversation;
  book: TransferBook;
  peerName: string;
  /** Relative paths are seen from here. */
  cwd: string;
  say(lines: Lines): void;
  clear(): void;
  quit(): void;
}

const MAX_FOUND = 50;

/**
 * Does what the person asked for and says how it went. Resolves with false when nothing was done, so that the face can
 * give the line back for mending. Never rejects.
 */
export async function runCommand(command: Command, desk: CommandDesk): Promise<boolean> {
  try {
    await act(command, desk);
    return true;
  } catch (error) {
    desk.say(failureLines(error));
    return false;
  }
}

async function act(command: Command, desk: CommandDesk): Promise<void> {
  const { conversation, book, peerName } = desk;
  switch (command.kind) {
    case 'text':
      conversation.message(command.text);
      return;
    case 'send':
      // No name at all stays none: it would stand for the whole folder.
      await conversation.send(command.paths.map((path) => path && resolve(desk.cwd, path)));
      return;
    case 'accept': {
      const { transfer } = pickTransfer(book, command, isIncomingOffer);
      await conversation.accept(transfer, command.into === undefined ? undefined : resolve(desk.cwd, command.into));
      return;
    }
    case 'decline':
      conversation.decline(pickTransfer(book, command, isIncomingOffer).transfer);
      return;
    case 'cancel':
      conversation.cancel(pickTransfer(book, command, (entry) => !isIncomingOffer(entry)).transfer);
      return;
    case 'search':
      desk.say(searchLines(conversation.search(command.text, MAX_FOUND), command.text, peerName));
      return;
    case 'verify':
      if (command.same !== undefined) conversation.verify(command.same);
      else desk.say(verificationLines(conversation.verification(), peerName, conversation.peer().verified));
      return;
    case 'disappear':
      if (command.seconds !== undefined) conversation.disappear(command.seconds);
      else if (command.agree !== undefined) conversation.answerDisappear(command.agree);
      else desk.say(disappearingLines(conversation.status().disappearing, peerName));
      return;
    case 'follow': {
      const offered = conversation.succession();
      if (offered === null) throw new UserError(ExitCode.usage, `There is no new key of ${peerName} to follow`, '');
      conversation.follow(offered.id);
      return;
    }
    case 'path':
      desk.say(pathLines(conversation.path()));
      return;
    case 'help':
      desk.say(helpLines());
      return;
    case 'clear':
      desk.clear();
      return;
    case 'quit':
      desk.quit();
      return;
    case 'mistake':
      throw new UserError(ExitCode.usage, command.sentence, '');
  }
}

function isIncomingOffer(entry: TransferEntry): boolean {
  return entry.direction === 'receive' && entry.state === 'offered';
}

/** The transfer with the number given; without one, the only one that fits. */
function pickTransfer(
  book: TransferBook,
  { kind, number }: { kind: 'accept' | 'decline' | 'cancel'; number?: number },
  fits: (entry: TransferEntry) => boolean,
): TransferEntry {
  const candidates = book.list().filter(fits);
  const wanted = number === undefined ? candidates : candidates.filter((entry) => entry.number === number);
  const [entry, second] = wanted;
  if (entry && !second) return entry;
  if (candidates.length === 0) throw new UserError(ExitCode.usage, `There is nothing to ${kind}`, '');
  const choices = candidates.map((one) => `/${kind} ${one.number} (${transferTitle(one)})`).join(', ');
  const complaint = number === undefined ? 'There is more than one' : `There is no ${number} to ${kind}`;
  throw new UserError(ExitCode.usage, complaint, `Write ${choices}.`);
}
