import yargs from 'yargs';
import { UserError } from '../../protocol/errors.js';
import { asTyped, SENTENCES } from '../../shared/yargs-sentences.js';
import { declareContactCommands } from './contact-commands.js';
import { declareDoctorCommand } from './doctor-command.js';
import { declareHistoryCommand } from './history-command.js';
import { declareKeyCommands } from './key-commands.js';
import { declareTalkCommands } from './talk-commands.js';
import { usageError, type Work } from './work.js';

export type ParsedCommandLine = { kind: 'help'; text: string } | { kind: 'work'; work: Work };

const COMMANDS = ['send', 'receive', 'pipe', 'doctor', 'keygen', 'id', 'key', 'contact', 'history'];
const WIDEST = 100;
/** Positional arguments of which there may be several. */
const LISTS = ['_', 'files', 'whom'];

const USAGE = `$0 <host> <port> <keys> <peerkey>   talk, by way of the mediator at host
$0 <contact>                        the same, for a saved contact
$0 <command> [options]

Chat and send files straight to someone whose public key you have, end to end
encrypted.`;

/**
 * What the person wants. Prints nothing, and looks at nothing but the words of the command line.
 * @throws UserError (exit code 2) if they make no sense
 */
export function parseCommandLine(argv: string[], program: { version: string; columns: number }): ParsedCommandLine {
  let chosen: Work | undefined;
  const choose = (work: Work) => {
    chosen = work;
  };
  const parser = yargs()
    .scriptName('p2p')
    .usage(USAGE)
    .parserConfiguration({
      'boolean-negation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
    })
    .middleware(keepLastOfEach, true)
    .detectLocale(false)
    .updateStrings(SENTENCES)
    .exitProcess(false)
    .strict()
    .fail((message, error) => {
      throw error instanceof UserError ? error : usageError(asTyped(message ?? error.message, argv), commandOf(argv));
    })
    .help()
    .alias('help', 'h')
    .version(program.version)
    .wrap(Math.min(program.columns, WIDEST));
  const families = [declareTalkCommands, declareDoctorCommand, declareKeyCommands, declareContactCommands];
  for (const declare of [...families, declareHistoryCommand]) declare(parser, choose);

  let text = '';
  parser.parse(withoutDashes(argv), {}, (_error: unknown, _argv: unknown, output: string) => {
    text = output;
  });
  return chosen === undefined ? { kind: 'help', text } : { kind: 'work', work: chosen };
}

/** Of an option that is given twice the last one counts. (yargs's own setting would cut that too.) */
function keepLastOfEach(words: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(words)) {
    if (Array.isArray(value) && !LISTS.includes(name)) words[name] = value.at(-1);
  }
}

/**
 * What follows `--` is no option, even if it begins with a dash. yargs would not count it as a positional argument, and
 * `./-x` names the same file.
 */
function withoutDashes(argv: string[]): string[] {
  const at = argv.indexOf('--');
  if (at === -1) return argv;
  return [...argv.slice(0, at), ...argv.slice(at + 1).map((word) => (word.startsWith('-') ? `./${word}` : word))];
}

function commandOf(argv: string[]): string | undefined {
  return argv.find((word) => COMMANDS.includes(word));
}
