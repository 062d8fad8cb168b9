import { ExitCode } from '../../protocol/errors.js';
import type { Journal, PastEntry } from '../session/journal/journal.js';
import { displayName } from '../settings/contact.js';
import { countOf } from '../ui/format.js';
import { isTerminal, jsonLine, print, printJson, printLines, tell } from '../ui/output.js';
import { newPainter } from '../ui/paint.js';
import { pastRows } from '../ui/past-wording.js';
import { yesNoPrompt } from '../ui/prompt.js';
import type { Environment } from './environment.js';
import { writeExport } from './history-export.js';
import { keyOptions } from './key-options.js';
import { openHome } from './open-home.js';
import { openJournal } from './open-journal.js';
import { wrong } from './values.js';
import { findByKey, meetContact, type Whom } from './whom.js';

export interface HistoryArguments {
  target: { contact: string } | { keys: string; peer: string };
  /** Only what has these words. */
  search: string | undefined;
  /** A file that is not there yet. */
  exportTo: string | undefined;
  erase: boolean;
  /** Erase without asking. */
  yes: boolean;
  json: boolean;
  home: string | undefined;
  passphraseFile: string | undefined;
}

type Format = (entry: PastEntry) => Iterable<string>;

/** Reads a journal while no session has it open, without any network. @throws UserError */
export async function history(options: HistoryArguments, environment: Environment): Promise<ExitCode> {
  const whom = await find(options, environment);
  const name = displayName(whom.contact);
  if (!whom.home.hasJournal(whom.contact.contactId)) {
    tell(`You and ${name} have not written to each other yet.`);
    return ExitCode.done;
  }
  const journal = openJournal(whom, 'End it first or, if it is a chat, look there: /search TEXT');
  try {
    if (options.exportTo !== undefined) exportAll(journal, options.exportTo, name, options);
    if (options.erase) await erase(journal, name, options);
    else if (options.exportTo === undefined) await show(journal, name, options, environment);
    return ExitCode.done;
  } finally {
    journal.close();
  }
}

async function find({ target, home, passphraseFile }: HistoryArguments, environment: Environment): Promise<Whom> {
  const opened = await openHome(home, environment);
  const keys = keyOptions(passphraseFile, environment);
  if ('contact' in target) return meetContact(target.contact, opened, keys);
  const found = await findByKey(target, opened, keys);
  if (found === null) {
    throw wrong(
      'these two keys have no history here',
      `Check both files, and --home if you use it; saved contacts: ${opened.command('contact', 'list')}`,
    );
  }
  return found;
}

async function show(
  journal: Journal,
  name: string,
  { search, json }: HistoryArguments,
  environment: Environment,
): Promise<void> {
  const colour = isTerminal('stdout') && !environment.noColour && environment.term !== 'dumb';
  let count = 0;
  const format = json ? toJson : toText(name, colour);
  await printLines(
    linesOf(
      counted(journal.past(search), () => count++),
      format,
    ),
  );
  if (count === 0 && !json) tell(search === undefined ? `Nothing was said yet.` : `Nothing found for “${search}”.`);
}

function exportAll(journal: Journal, path: string, name: string, { search, json }: HistoryArguments): void {
  const asJson = json || /\.(jsonl|ndjson)$/i.test(path);
  let count = 0;
  const entries = counted(journal.past(search), () => count++);
  writeExport(path, linesOf(entries, asJson ? toJson : toText(name, false)));
  tell(
    `Wrote ${countOf(count, 'entry', 'entries')} to ${path}. This file is not encrypted: whoever gets it can read it.`,
  );
}

async function erase(journal: Journal, name: string, { yes, json }: HistoryArguments): Promise<void> {
  if (!yes && !(await confirm(name))) {
    tell('Nothing was erased.');
    return;
  }
  const { erased, kept } = journal.erase();
  if (json) printJson({ erased, kept });
  else print(`Erased ${countOf(erased, 'message')}. ${name}'s own copy stays, and so may old copies of this disk.`);
  if (kept === 0 || json) return;
  print(`Kept ${countOf(kept, 'message')} that ${name} does not have yet; erase again once they are delivered.`);
}

function confirm(name: string): Promise<boolean> {
  const ask = yesNoPrompt();
  if (ask === null)
    throw wrong('nothing was erased: there is no terminal to ask on', 'To erase without a question: --yes');
  return ask(`Erase all that you and ${name} wrote, from this machine? It cannot be undone. [y/N] `);
}

function* counted(entries: Iterable<PastEntry>, count: () => void): Generator<PastEntry> {
  for (const entry of entries) {
    count();
    yield entry;
  }
}

function* linesOf(entries: Iterable<PastEntry>, format: Format): Generator<string> {
  for (const entry of entries) yield* format(entry);
}

function toText(name: string, colour: boolean): Format {
  const paint = newPainter(colour);
  return (entry) => pastRows(entry, name).map(paint);
}

function toJson(entry: PastEntry): string[] {
  return [jsonLine(entry)];
}
