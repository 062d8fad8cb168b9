import { describe, expect, test } from 'vitest';
import { COMMANDS, parseCommand } from '../../../src/peer/ui/commands.js';

const parse = (line: string) => parseCommand(line, '/home/ann');

test.each([
  ['hello', { kind: 'text', text: 'hello' }],
  [' /quit', { kind: 'text', text: ' /quit' }],
  ['//etc/hosts', { kind: 'text', text: '/etc/hosts' }],
  ['///', { kind: 'text', text: '//' }],
  ['/send a "b c" ~/d', { kind: 'send', paths: ['a', 'b c', '/home/ann/d'] }],
  ['/accept', { kind: 'accept' }],
  ['/accept 2', { kind: 'accept', number: 2 }],
  ['/accept 2 ~/in', { kind: 'accept', number: 2, into: '/home/ann/in' }],
  ['/accept in', { kind: 'accept', into: 'in' }],
  ['/decline 3', { kind: 'decline', number: 3 }],
  ['/cancel', { kind: 'cancel' }],
  ['/search  two words ', { kind: 'search', text: 'two words' }],
  ['/verify', { kind: 'verify' }],
  ['/verify yes', { kind: 'verify', same: true }],
  ['/verify no ', { kind: 'verify', same: false }],
  ['/disappear', { kind: 'disappear' }],
  ['/disappear 90m', { kind: 'disappear', seconds: 5400 }],
  ['/disappear 7d', { kind: 'disappear', seconds: 604_800 }],
  ['/disappear off', { kind: 'disappear', seconds: 0 }],
  ['/disappear yes', { kind: 'disappear', agree: true }],
  ['/quit ', { kind: 'quit' }],
])('reads %s', (line, command) => {
  expect(parse(line)).toEqual(command);
});

test.each([
  '/send',
  '/send  ',
  '/search',
  '/accept 1 a b',
  '/decline x',
  '/cancel 0',
  '/decline 1 2',
  '/quit now',
  '/verify maybe',
  '/disappear 1',
  '/disappear 0h',
  '/disappear 1 hour',
])('says what is missing or too much in %s', (line) => {
  expect(parse(line).kind).toBe('mistake');
});

describe('an unknown command', () => {
  test.each([
    ['/halp', '/help'],
    ['/snd', '/send'],
    ['/s', '/send'],
    ['/acept 1', '/accept'],
    ['/exti', undefined],
    ['/etc/hosts is a file', undefined],
    ['/', undefined],
  ])('%s: suggests %s', (line, suggestion) => {
    const command = parse(line);
    const sentence = command.kind === 'mistake' ? command.sentence : '';
    expect(sentence).toContain('There is no /');
    if (suggestion) expect(sentence).toContain(`Did you mean ${suggestion}?`);
    else expect(sentence).not.toContain('Did you mean');
  });

  test('is told how to say it as text', () => {
    expect(parse('/usr')).toMatchObject({ sentence: expect.stringContaining('//') });
  });
});

test('every command in the help is understood', () => {
  for (const { name } of COMMANDS) {
    const command = parse(`/${name} 1`);
    if (command.kind === 'mistake') expect(command.sentence).not.toContain('There is no');
  }
});
