import { ExitCode } from '../../protocol/errors.js';
import { verificationWords } from '../../protocol/words.js';
import { loadAnyKey } from '../keys/load-keys.js';
import { isTerminal, print, printJson, tell, terminalColumns } from '../ui/output.js';
import type { Environment } from './environment.js';
import { keyOptions, warnOfDemoKey } from './key-options.js';

export interface IdArguments {
  file: string;
  json: boolean;
  /** Show the QR code even where there is no terminal. */
  qr: boolean;
  passphraseFile: string | undefined;
}

/** Shows whose key is in a file: the id, and what two people compare. @throws UserError */
export async function showId(options: IdArguments, environment: Environment): Promise<ExitCode> {
  const { passphrases } = keyOptions(options.passphraseFile, environment);
  const { id } = await loadAnyKey(options.file, 'the key file', passphrases);
  warnOfDemoKey('this', id, environment);
  const words = verificationWords(id);
  if (options.json) {
    printJson({ id, words });
    return ExitCode.done;
  }
  print(`id     ${id}`);
  print(`words  ${words.join(' ')}`);
  if (options.qr || isTerminal('stdout')) await showQrCode(id, options.qr);
  return ExitCode.done;
}

/** 37 columns and 19 rows. One with broken lines cannot be read; whoever asked for it gets it all the same. */
async function showQrCode(text: string, always: boolean): Promise<void> {
  const { renderUnicodeCompact } = await import('uqr');
  const code = renderUnicodeCompact(text, { border: 2 });
  const width = code.indexOf('\n');
  if (always || width <= terminalColumns()) print(`\n${code}`);
  else tell(`The terminal is too narrow for the QR code: it takes ${width} columns.`);
}
