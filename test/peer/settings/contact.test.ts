import { expect, test } from 'vitest';
import { checkContactName, displayName } from '../../../src/peer/settings/contact.js';

test.each(['bob', 'Bob B.', '1e3', '李', '👩‍🚀', 'a'.repeat(64), '👩'.repeat(64)])('%s is a name', (name) => {
  expect(checkContactName(name)).toBe(name.normalize('NFC'));
});

test.each([
  ['nothing', ''],
  ['65 letters', 'a'.repeat(65)],
  ['an escape sequence', 'bob\x1b[2J'],
  ['a newline', 'bob\nalice'],
  ['a tab', 'bob\talice'],
  ['a C1 control', 'bob\x9b2J'],
  ['letters that turn the line round', 'bob\u202ecilam'],
  ['letters that nobody sees', 'bo\u200bb'],
  ['a dash in front', '-bob'],
  ['a blank in front', ' bob'],
  ['a blank at the end', 'bob\u00a0'],
  ['the name of a command', 'send'],
  ['the name of a command to come', 'doctor'],
])('%s is no name', (_, name) => {
  expect(() => checkContactName(name)).toThrow(expect.objectContaining({ exitCode: 2 }));
});

test('a contact is shown by its name, without what a terminal would obey, or by its short id', () => {
  expect(displayName({ name: 'bob\x1b[2J', peerId: 'a'.repeat(64) })).toBe('bob\ufffd[2J');
  expect(displayName({ name: null, peerId: 'a'.repeat(64) })).toBe('a'.repeat(16));
});
