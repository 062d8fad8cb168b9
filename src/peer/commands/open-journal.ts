import { ExitCode, UserError } from '../../protocol/errors.js';
import { Journal } from '../session/journal/journal.js';
import { BusyJournalError } from '../session/journal/storage-errors.js';
import { displayName } from '../settings/contact.js';
import { journalKeys, type Whom } from './whom.js';

/** @param instead what the person can do if another p2p has it open: one at a time may. @throws UserError */
export function openJournal({ home, contact, own }: Pick<Whom, 'home' | 'contact' | 'own'>, instead: string): Journal {
  try {
    return Journal.open({ directory: home.contactDirectory(contact.contactId), ...journalKeys(own) });
  } catch (error) {
    if (!(error instanceof BusyJournalError)) throw error;
    const name = displayName(contact);
    throw new UserError(ExitCode.usage, `another p2p on this machine has ${name} open`, instead, { cause: error });
  }
}
