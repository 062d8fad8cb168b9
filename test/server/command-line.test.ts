import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { UserError } from '../../src/protocol/errors.js';
import { parseCommandLine } from '../../src/server/command-line.js';
import { UNLIMITED_RELAY } from '../support/relay.js';

const parse = (...argv: string[]) => parseCommandLine(argv, '1.2.3', '/home/ann/.config/mediator');

test('without options it listens everywhere on the usual port, and keeps its things at home', () => {
  expect(parse()).toMatchObject({
    where: { address: '::', port: 54700 },
    certs: '/home/ann/.config/mediator/certs',
    certsIsDefault: true,
    key: '/home/ann/.config/mediator/mediator-key.pem',
    relay: UNLIMITED_RELAY,
    json: false,
    debug: false,
  });
});

test('every option counts, and paths are those of the folder it was started in', () => {
  const options = parse(...'--host 127.0.0.1 --port 0 --certs c --key k.pem --no-relay --json --home h'.split(' '));
  expect(options).toMatchObject({
    where: { address: '127.0.0.1', port: 0 },
    certs: resolve('c'),
    certsIsDefault: false,
    key: resolve('k.pem'),
    relay: { ...UNLIMITED_RELAY, sessions: false },
    json: true,
  });
  expect(parse('--home', 'h')).toMatchObject({ certs: join(resolve('h'), 'certs'), certsIsDefault: true });
});

test('it says of peers only what is asked for by name', () => {
  expect(parse('--log-level', 'debug').debug).toBe(true);
  expect(parse('--log-level', 'info').debug).toBe(false);
  expect(() => parse('--log-level', 'verbose')).toThrow('log-level');
});

test('the relay’s limits are understood', () => {
  expect(parse('--relay-rate', '10M', '--relay-total', '20G').relay).toEqual({
    sessions: true,
    bytesPerSecond: 10 * 1024 ** 2,
    bytesPerDay: 20 * 1024 ** 3,
  });
  expect(() => parse('--relay-rate', 'fast')).toThrow('--relay-rate is not a number of bytes: fast');
  expect(() => parse('--relay-total', '0')).toThrow('--relay-total is not a number of bytes: 0');
});

test.each(['0', '1', '54700', '65535'])('port %s is one', (port) => {
  expect(parse('--port', port).where.port).toBe(Number(port));
});

test.each(['-1', '65536', '1e3', '0x50', '80.5', 'http', ' 80', '99999999999'])('port %s is refused', (port) => {
  expect(() => parse(`--port=${port}`)).toThrow(`not a port: ${port}`);
});

test.each([
  [['--frob'], /frob/],
  [['--no-json'], /no-json/],
  [['start'], /start/],
  [['--port'], /port/],
  [['--certs', ''], /--certs has no value/],
  [['--host='], /--host has no value/],
])('%j is a usage error with a hint', (argv, message) => {
  const thrown = catching(() => parse(...argv));
  expect(thrown).toBeInstanceOf(UserError);
  expect(thrown).toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(message),
    hint: 'See: p2p-server --help',
  });
});

function catching(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}
