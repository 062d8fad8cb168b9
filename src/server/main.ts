import { readFileSync } from 'node:fs';
import os from 'node:os';
import { isAbsolute, join } from 'node:path';
import { isDemoKey } from '../protocol/demo-keys.js';
import { ExitCode, errorCode, UserError } from '../protocol/errors.js';
import { selfSignedCertificate } from '../protocol/forge.js';
import { sanitise, sanitiseLine } from '../protocol/sanitise.js';
import { tolerateClosedTerminals } from '../shared/closed-terminals.js';
import { refuseForeignEncoding } from '../shared/encoding.js';
import { makeFolders } from '../shared/make-folders.js';
import { describeSystemError } from '../shared/system-error.js';
import { withoutIds } from './coarse.js';
import { parseCommand, type ServerOptions } from './command-line.js';
import { Mediator } from './mediator.js';
import { loadOrCreateKey } from './own-key.js';
import { jsonReporter, textReporter } from './report.js';
import { revoke } from './revoke.js';

tolerateClosedTerminals();
main().catch((error) => {
  if (!(error instanceof UserError)) throw error;
  complain(`${error.message}\n${error.hint}`);
  process.exitCode = error.exitCode;
});

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const argv = process.argv.slice(2);
  const given = parseCommand(argv, version, defaultHome());
  refuseForeignEncoding(argv);
  if (given.command === 'revoke') process.stdout.write(`${sanitise(await revoke(given))}\n`);
  else await serve(given, version);
}

async function serve(options: ServerOptions, version: string): Promise<void> {
  if (!options.debug) process.on('uncaughtException', endByBug);
  // Whoever read our output may be gone; the peers are not.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const report = (options.json ? jsonReporter : textReporter)((text) => process.stdout.write(`${text}\n`));

  const passphrase = process.env.TURBO_BEEP_PASSPHRASE;
  const identity = await loadOrCreateKey({ file: options.key, passphrase, warn });
  const demo = process.env.TURBO_BEEP_DEMO === '1';
  if (!demo && isDemoKey(identity.id)) {
    warn(`${options.key} is the example key, which everybody has: anyone can stand in for this mediator`);
  }
  if (options.certsIsDefault) makeKeyFolder(options.certs);
  const mediator = new Mediator({
    ...options,
    demo,
    credentials: { identity, certificate: selfSignedCertificate(identity) },
    warn,
    debug: options.debug ? (text) => complain(sanitiseLine(`debug: ${text}`)) : null,
    onKeys: (count) => report.keys(count),
  });
  const where = await mediator.start();
  report.started({
    ...options,
    version,
    where,
    udpPorts: mediator.udpPorts,
    id: identity.id,
    keys: mediator.keyIds().length,
  });
  stopOnSignal(mediator);
}

function stopOnSignal(mediator: Mediator): void {
  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(ExitCode.done);
    stopping = true;
    await mediator.stop('the mediator is stopping');
    process.exit(ExitCode.done);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
}

function defaultHome(): string {
  const { XDG_CONFIG_HOME, APPDATA } = process.env;
  const configHome = process.platform === 'win32' ? APPDATA : XDG_CONFIG_HOME;
  // The XDG specification: a relative path there is to be ignored.
  const base = configHome && isAbsolute(configHome) ? configHome : join(os.homedir(), '.config');
  return join(base, 'turbo-beep', 'mediator');
}

/** Says where it happened, but not in what words: a system error names an address, others may quote a peer. */
function endByBug(error: unknown): void {
  const { name, stack = '' } = error instanceof Error ? error : new Error('not an error');
  const places = stack.split('\n').filter((line) => /^ +at /.test(line));
  complain(['unexpected error, a bug of ours; please report it', errorCode(error) ?? name, ...places].join('\n'));
  complain('with --log-level debug it would say more, perhaps of peers');
  process.exit(ExitCode.bug);
}

function makeKeyFolder(path: string): void {
  try {
    makeFolders(path, 0o700);
  } catch (error) {
    const what = `the directory of keys ${path} cannot be made: ${describeSystemError(error)}`;
    throw new UserError(ExitCode.usage, what, 'Name another with --certs DIR, or another --home DIR.', {
      cause: error,
    });
  }
}

/** One line, whatever files are called: none may pass for a line of ours. */
function warn(text: string): void {
  complain(sanitiseLine(`warning: ${withoutIds(text)}`));
}

function complain(text: string): void {
  process.stderr.write(`p2p-server: ${sanitise(text)}\n`);
}
