import type { Argv } from 'yargs';
import { HOME_OPTION, PASSPHRASE_FILE_OPTION, WHOM_OPTIONS } from './command-options.js';
import type { HistoryArguments } from './history.js';
import { type Declare, usageError } from './work.js';

export const declareHistoryCommand: Declare = (parser, choose) =>
  parser.command('history [contact]', 'print, search, export or erase what was said', declareHistory, (words) => {
    const { search, erase = false, yes = false, json = false, home, passphraseFile } = words;
    if (search?.trim() === '') throw usageError('--search has no value', 'history');
    if (words.export === '') throw usageError('--export has no value', 'history');
    if (erase && search !== undefined)
      throw usageError('--erase erases all of it, so --search makes no sense', 'history');
    if (yes && !erase) throw usageError('--yes belongs to --erase', 'history');
    const options = { search, exportTo: words.export, erase, yes, json, home, passphraseFile };
    const target = targetOf(words);
    choose(async (environment) => (await import('./history.js')).history({ ...options, target }, environment));
  });

function declareHistory(parser: Argv) {
  return parser
    .usage('$0 history (<contact> | --keys FILE --peer FILE) [--search TEXT] [--export FILE] [--erase]')
    .positional('contact', { type: 'string', describe: 'the name of a contact' })
    .options(WHOM_OPTIONS)
    .option('search', { type: 'string', requiresArg: true, describe: 'only what has these words' })
    .option('export', {
      type: 'string',
      requiresArg: true,
      describe: 'write it, unencrypted, to a new file; as JSON lines if its name ends in .jsonl, or with --json',
    })
    .option('erase', { type: 'boolean', describe: 'remove it from this machine, after you confirmed' })
    .option('yes', { type: 'boolean', describe: 'erase without asking' })
    .option('json', { type: 'boolean', describe: 'one JSON object a line' })
    .options({ home: HOME_OPTION, 'passphrase-file': PASSPHRASE_FILE_OPTION })
    .example('$0 history bob | less', '')
    .example('$0 history bob --search "train ticket"', '')
    .example('$0 history bob --export bob.txt --erase', 'keep a copy elsewhere');
}

function targetOf(words: {
  contact?: string | undefined;
  host?: string | undefined;
  port?: string | undefined;
  keys?: string | undefined;
  peer?: string | undefined;
}): HistoryArguments['target'] {
  const { contact, host, port, keys, peer } = words;
  const named = [host, port, keys, peer].some((word) => word !== undefined);
  if (contact !== undefined && named) throw usageError('a contact has its keys already', 'history');
  if (contact !== undefined) return { contact };
  if (keys !== undefined && peer !== undefined) return { keys, peer };
  throw usageError('name a contact, or both --keys and --peer', 'history');
}
