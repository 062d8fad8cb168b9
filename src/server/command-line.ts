import net from 'node:net';
import { join, resolve } from 'node:path';
import yargs from 'yargs';
import { MEDIATOR_PORT } from '../protocol/constants.js';
import { ExitCode, UserError } from '../protocol/errors.js';
import type { Endpoint } from '../protocol/messages.js';
import { asTyped, SENTENCES } from '../shared/yargs-sentences.js';
import { parseBytes } from './bytes.js';
import type { RelayLimits } from './relay/allowances.js';
import type { RevokeOptions } from './revoke.js';

export type ServerCommand = ({ command: 'serve' } & ServerOptions) | ({ command: 'revoke' } & RevokeOptions);

export interface ServerOptions {
  home: string;
  where: Endpoint;
  certs: string;
  /** Not named by the user: made if it is missing. */
  certsIsDefault: boolean;
  key: string;
  followSuccessions: boolean;
  relay: RelayLimits;
  secondAddress: string | null;
  json: boolean;
  /** Say what peers do, too. */
  debug: boolean;
}

/** @param defaultHome used unless --home names another. Throws UserError; prints and exits for --help and --version. */
export function parseCommandLine(argv: string[], version: string, defaultHome: string): ServerOptions {
  const given = yargs(argv)
    .scriptName('p2p-server')
    .usage(
      '$0 [options]\n$0 revoke <id> [--undo] [--home DIR]\n\nThe mediator: introduces peers that name each other, and can do nothing else.',
    )
    .parserConfiguration({ 'boolean-negation': false, 'parse-numbers': false, 'duplicate-arguments-array': false })
    .options({
      host: { type: 'string', requiresArg: true, default: '::', describe: 'address to listen on; :: is every one' },
      port: { type: 'string', requiresArg: true, default: String(MEDIATOR_PORT), describe: '0 is any free one' },
      certs: {
        type: 'string',
        requiresArg: true,
        defaultDescription: 'HOME/certs, made if missing',
        describe: 'directory of the public keys to admit: every *.pem in it, at any depth',
      },
      key: {
        type: 'string',
        requiresArg: true,
        defaultDescription: 'HOME/mediator-key.pem',
        describe: 'the key pair of this mediator, made if missing',
      },
      'second-address': {
        type: 'string',
        requiresArg: true,
        describe: 'another address of this machine that peers can reach; it tells more kinds of gateways apart',
      },
      'follow-successions': {
        type: 'boolean',
        describe: 'admit the key that takes the place of an admitted one, on the word of both (p2p key rotate)',
      },
      'no-relay': { type: 'boolean', describe: 'carry no sessions, only what peers need to find a path of their own' },
      'relay-rate': {
        type: 'string',
        requiresArg: true,
        describe: 'bytes a second that the relay carries for one pair, both ways together, such as 512k or 10M',
      },
      'relay-total': {
        type: 'string',
        requiresArg: true,
        describe: 'bytes that the relay carries for one pair in 24 hours, such as 20G; then it is as with --no-relay',
      },
      json: { type: 'boolean', describe: 'print events as JSON, one a line' },
      'log-level': {
        choices: ['info', 'debug'] as const,
        requiresArg: true,
        default: 'info',
        describe: 'info says nothing of peers; debug tells on stderr what they do, with ids and addresses cut short',
      },
      home: {
        type: 'string',
        requiresArg: true,
        defaultDescription: defaultHome,
        describe: 'where it keeps its things',
      },
    })
    .detectLocale(false)
    .updateStrings(SENTENCES)
    .strict()
    .version(version)
    .help()
    .alias('help', 'h')
    .example('$0 --certs /srv/turbo-beep/certs', 'admit the keys in that directory')
    .fail((message, error) => {
      throw usageError(asTyped(message ?? error.message, argv));
    })
    .parseSync();

  const [extra] = given._;
  if (extra !== undefined) throw usageError(`unexpected argument: ${extra}`);
  const home = resolve(notEmpty('home', given.home ?? defaultHome));
  return {
    home,
    where: { address: notEmpty('host', given.host), port: parsePort(given.port) },
    certs: resolve(given.certs === undefined ? join(home, 'certs') : notEmpty('certs', given.certs)),
    certsIsDefault: given.certs === undefined,
    key: resolve(given.key === undefined ? join(home, 'mediator-key.pem') : notEmpty('key', given.key)),
    followSuccessions: given.followSuccessions === true,
    relay: {
      sessions: !given.noRelay,
      bytesPerSecond: given.relayRate === undefined ? null : parseBytes('--relay-rate', given.relayRate),
      bytesPerDay: given.relayTotal === undefined ? null : parseBytes('--relay-total', given.relayTotal),
    },
    secondAddress: given.secondAddress === undefined ? null : parseAddress(given.secondAddress),
    json: given.json === true,
    debug: given.logLevel === 'debug',
  };
}

/** `p2p-server`, or `p2p-server revoke`. Throws UserError; prints and exits for --help and --version. */
export function parseCommand(argv: string[], version: string, defaultHome: string): ServerCommand {
  const [first, ...rest] = argv;
  if (first === 'revoke') return { command: 'revoke', ...parseRevoke(rest, version, defaultHome) };
  return { command: 'serve', ...parseCommandLine(argv, version, defaultHome) };
}

function parseRevoke(argv: string[], version: string, defaultHome: string): RevokeOptions {
  const given = yargs(argv)
    .scriptName('p2p-server revoke')
    .usage('$0 <id> [--undo] [--home DIR]\n\nEnds and bars a key and its successors, at once and for good.')
    .parserConfiguration({
      'boolean-negation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': false,
    })
    .options({
      undo: { type: 'boolean', describe: 'admit it again if it is in the directory of keys' },
      home: {
        type: 'string',
        requiresArg: true,
        defaultDescription: defaultHome,
        describe: 'the --home that the mediator runs with',
      },
    })
    .detectLocale(false)
    .updateStrings(SENTENCES)
    .strictOptions()
    .version(version)
    .help()
    .alias('help', 'h')
    .fail((message, error) => {
      throw usageError(asTyped(message ?? error.message, argv), 'p2p-server revoke');
    })
    .parseSync();
  const [id, ...more] = given._;
  if (id === undefined || more.length > 0) throw usageError('name one id', 'p2p-server revoke');
  return {
    id: parseId(String(id)),
    undo: given.undo === true,
    home: resolve(notEmpty('home', given.home ?? defaultHome)),
  };
}

/** All of it: its beginning, which people see in many places, may be that of another key that somebody searched for. */
function parseId(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw new UserError(
    ExitCode.usage,
    `not a whole id: ${text}`,
    'An id has 64 digits, 0 to 9 and a to f; p2p id FILE shows it for a key file.',
  );
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65535) return port;
  throw new UserError(
    ExitCode.usage,
    `not a port: ${text}`,
    `A port is a number from 1 to 65535; the usual one is ${MEDIATOR_PORT}. 0 takes any free one.`,
  );
}

function parseAddress(text: string): string {
  if (net.isIP(text) !== 0) return text;
  throw new UserError(ExitCode.usage, `not an address: ${text}`, 'Give --second-address an IPv4 or IPv6 address.');
}

function notEmpty(option: string, text: string): string {
  if (text === '') throw usageError(`--${option} has no value`);
  return text;
}

function usageError(message: string, command = 'p2p-server'): UserError {
  return new UserError(ExitCode.usage, message, `See: ${command} --help`);
}
