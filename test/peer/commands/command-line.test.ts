import { expect, test } from 'vitest';
import { parseCommandLine } from '../../../src/peer/commands/command-line.js';

const program = { version: '9.8.7', columns: 80 };
const parse = (...argv: string[]) => parseCommandLine(argv, program);

test.each([
  ['a contact', ['bob']],
  ['a contact that looks like a number', ['1e3']],
  ['everything', ['m.example', '1', 'k', 'p']],
  ['options before and after', ['--json', 'bob', '--timeout', '5', '--paths', 'relay', '--home', 'h']],
  ['files that look like numbers', ['send', '1e3', '007', '--to', 'bob']],
  ['files that look like options, after --', ['send', '--to', 'bob', '--', '-rf', '--json']],
  ['an explicit peer', ['send', 'a', '--host', 'h', '--port', '1', '--keys', 'k', '--peer', 'p']],
  ['a private peer', ['bob', '--no-host-candidates', '--no-port-mapping']],
  ['receiving', ['receive', '--into', 'd', '--from', 'alice', '--yes', '--once']],
  ['keygen', ['keygen', 'd', '--bits', '2048', '--passphrase-file', 'f']],
  ['id', ['id', 'f', '--json']],
  ['contact add', ['contact', 'add', 'n', '--host', 'h', '--port', '1', '--keys', 'k', '--peer', 'p']],
  ['contact list', ['contact', 'list']],
  ['contact verify', ['contact', 'verify', 'n', '--yes']],
  ['contact block', ['contact', 'block', 'n']],
  ['contact unblock', ['contact', 'unblock', 'n']],
  ['history', ['history', 'n', '--export', 'f', '--erase', '--yes']],
  ['history by keys', ['history', '--keys', 'k', '--peer', 'p', '--search', 'x']],
])('%s is understood', (_, argv) => {
  expect(parse(...argv).kind).toBe('work');
});

test.each([
  [[], 'whom to talk to?', '--help'],
  [['--bogus', 'bob'], 'not understood: --bogus', '--help'],
  [['bob', '-x'], 'not understood: -x', '--help'],
  [['a', 'b'], 'name one contact, or all four', '--help'],
  [['a', 'b', 'c'], 'name one contact, or all four', '--help'],
  [['a', 'b', 'c', 'd', 'e'], 'not understood: e', '--help'],
  [['bob', '--no-json'], 'not understood: --no-json', '--help'],
  [['bob', '--timeout'], '--timeout needs a value', '--help'],
  [['bob', '--passphrase', 'secret'], 'not understood: --passphrase', '--help'],
  [['send', '--to', 'bob'], 'something is missing', 'send --help'],
  [['send', 'a'], 'name --to CONTACT, or all four', 'send --help'],
  [['send', 'a', '--host', 'h', '--port', '1', '--keys', 'k'], 'name --to CONTACT, or all four', 'send --help'],
  [['send', 'a', '--to', 'bob', '--port', '1'], '--to names a contact', 'send --help'],
  [['receive', '--from', 'a'], 'an option is missing: --into', 'receive --help'],
  [['receive', '--from', 'a', '--into', ''], '--into has no value', 'receive --help'],
  [['receive', '--into', 'd'], 'name --from CONTACT', 'receive --help'],
  [['doctor'], 'name a contact, or the mediator', 'doctor --help'],
  [['doctor', 'h', '1'], 'name a contact, or the mediator', 'doctor --help'],
  [['doctor', 'h', '1', 'k', 'p', 'x'], 'name a contact, or the mediator', 'doctor --help'],
  [['doctor', 'bob', '--to', 'bob'], 'name whom to meet once', 'doctor --help'],
  [['doctor', '--host', 'h', '--port', '1'], 'name a contact, or the mediator', 'doctor --help'],
  [['keygen'], 'something is missing: 0 of 1 words given', 'keygen --help'],
  [['keygen', 'a', 'b'], 'not understood: b', 'keygen --help'],
  [['keygen', 'd', '--passphrase', '--passphrase-file', 'f'], 'only one of', 'keygen --help'],
  [['keygen', 'd', '--bits', '1024'], 'not a size for a key', 'from 2048 to 8192'],
  [['contact'], 'name what to do', 'contact --help'],
  [['contact', 'frob'], 'not understood: frob', 'contact --help'],
  [['contact', 'add', 'n', '--host', 'h'], 'options are missing: ', 'contact --help'],
])('%j is a usage error with a hint', (argv, message, hint) => {
  expect(() => parse(...argv)).toThrow(
    expect.objectContaining({
      name: 'UserError',
      exitCode: 2,
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    }),
  );
});

test.each([
  [['--help'], ['p2p <contact>', 'send <files..>', 'receive', 'keygen', 'contact', '--mediator-key', 'Examples:']],
  [['-h'], ['p2p <contact>']],
  [
    ['send', '--help'],
    ['p2p send <files..>', '--to', '--peer', 'Examples:'],
  ],
  [
    ['receive', '--help'],
    ['--into', '--once', 'Examples:'],
  ],
  [
    ['doctor', '--help'],
    ['p2p doctor', '--to', '--timeout', 'Examples:'],
  ],
  [
    ['keygen', '--help'],
    ['--bits', '--passphrase-file', 'Examples:'],
  ],
  [
    ['id', '--help'],
    ['--qr', 'Examples:'],
  ],
  [
    ['contact', '--help'],
    ['add', 'list', 'show', 'remove', 'block'],
  ],
  [
    ['contact', 'add', '--help'],
    ['--peer', 'Examples:'],
  ],
])('%j tells what can be given', (argv, parts) => {
  const parsed = parse(...argv);
  if (parsed.kind !== 'help') throw new Error('not help');
  for (const part of parts) expect(parsed.text).toContain(part);
  for (const line of parsed.text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('help tells of no command that is not there yet', () => {
  expect(parse('--help')).not.toMatchObject({ text: expect.stringMatching(/rotate/) });
});

test('--version is the version alone', () => {
  expect(parse('--version')).toEqual({ kind: 'help', text: '9.8.7' });
});
