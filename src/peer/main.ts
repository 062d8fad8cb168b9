import { readFileSync } from 'node:fs';
import { ExitCode } from '../protocol/errors.js';
import { tolerateClosedTerminals } from '../shared/closed-terminals.js';
import { refuseForeignEncoding } from '../shared/encoding.js';
import { parseCommandLine } from './commands/command-line.js';
import type { Environment } from './commands/environment.js';
import { exitAfterOutput, print, reportError, terminalColumns, tolerateClosedOutput } from './ui/output.js';

const argv = process.argv.slice(2);

tolerateClosedOutput();
tolerateClosedTerminals();
for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, crash);
main().then(exitAfterOutput, (error) => exitAfterOutput(reportError(error, wantsJson())));

async function main(): Promise<ExitCode> {
  const parsed = parseCommandLine(argv, { version: readVersion(), columns: terminalColumns() });
  if (parsed.kind === 'work') {
    refuseForeignEncoding(argv, ['--search']);
    return parsed.work(readEnvironment());
  }
  print(parsed.text);
  return ExitCode.done;
}

function readEnvironment(): Environment {
  const { env, platform } = process;
  return {
    passphrase: env.TURBO_BEEP_PASSPHRASE,
    configHome: platform === 'win32' ? env.APPDATA : env.XDG_CONFIG_HOME,
    demo: env.TURBO_BEEP_DEMO === '1',
    term: env.TERM,
    noColour: Boolean(env.NO_COLOR),
  };
}

function readVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

/** Asked before the command line is understood, for its own errors are to be told in JSON too. */
function wantsJson(): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).some((word) => word === '--json' || word === '--json=true');
}

/** Told at the very end, after the full screen has given the terminal back: what it shows before that is lost. */
function crash(error: unknown): void {
  process.once('exit', () => reportError(error, wantsJson()));
  process.exit(ExitCode.bug);
}
