import net from 'node:net';
import { join, resolve } from 'node:path';
import yargs from 'yargs';
import { MEDIATOR_PORT } from '../protocol/constants.js';
import { ExitCode, UserError } from '../protocol/errors.js';
import type { Endpoint } from '../protocol/messages.js';
import { parseBytes } from './bytes.js';
import type { RelayLimits } from './relay/allowances.js';

export interface ServerOptions {
  where: Endpoint;
  certs: string;
  /** Not named by the user: made if it is missing. */
  certsIsDefault: boolean;
  key: string;
  relay: RelayLimits;
  secondAddress: string | null;
  json: boolean;
}

/** @param defaultHome used unless --home names another. Throws UserError; prints and exits for --help and --version. */
export function parseCommandLine(argv: string[], version: string, defaultHome: string): ServerOptions {
  const given = yargs(argv)
    .scriptName('p2p-server')
    .usage('$0 [options]\n\nThe mediator: introduces peers that name each other, and can do nothing else.')
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
      home: {
        type: 'string',
        requiresArg: true,
        defaultDescription: defaultHome,
        describe: 'where it keeps its things',
      },
    })
    .strict()
    .version(version)
    .help()
    .example('$0 --certs /srv/turbo-beep/certs', 'admit the keys in that directory')
    .fail((message, error) => {
      throw usageError(message ?? error.message);
    })
    .parseSync();

  const [extra] = given._;
  if (extra !== undefined) throw usageError(`unexpected argument: ${extra}`);
  const home = resolve(notEmpty('home', given.home ?? defaultHome));
  return {
    where: { address: notEmpty('host', given.host), port: parsePort(given.port) },
    certs: resolve(given.certs === undefined ? join(home, 'certs') : notEmpty('certs', given.certs)),
    certsIsDefault: given.certs === undefined,
    key: resolve(given.key === undefined ? join(home, 'mediator-key.pem') : notEmpty('key', given.key)),
    relay: {
      sessions: !given.noRelay,
      bytesPerSecond: given.relayRate === undefined ? null : parseBytes('--relay-rate', given.relayRate),
      bytesPerDay: given.relayTotal === undefined ? null : parseBytes('--relay-total', given.relayTotal),
    },
    secondAddress: given.secondAddress === undefined ? null : parseAddress(given.secondAddress),
    json: given.json === true,
  };
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

function usageError(message: string): UserError {
  return new UserError(ExitCode.usage, message, 'See: p2p-server --help');
}
