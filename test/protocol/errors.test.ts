import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  ExitCode,
  errorCode,
  errorMessage,
  LinkClosedError,
  ProtocolError,
  UserError,
  WrongPeerError,
} from '../../src/protocol/errors.js';

test('the exit codes are those of the contract', () => {
  expect(ExitCode).toEqual({
    done: 0,
    bug: 1,
    usage: 2,
    mediatorUnreachable: 3,
    mediatorRefused: 4,
    peerAbsent: 5,
    impostor: 6,
    transferIncomplete: 7,
  });
});

test('each failure is told apart by its class and its name', () => {
  for (const Failure of [ProtocolError, WrongPeerError, LinkClosedError]) {
    const error = new Failure('what happened', { cause: 'why' });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: Failure.name, message: 'what happened', cause: 'why' });
  }
});

test('a user error says what is wrong, what to do, and how the program ends', () => {
  const error = new UserError(ExitCode.usage, 'the file is empty', 'Choose another.', { cause: 'why' });
  expect(error).toMatchObject({ exitCode: 2, message: 'the file is empty', hint: 'Choose another.', cause: 'why' });
});

test('anything thrown has a message', () => {
  expect([new Error('said'), 'a string', 7, null, undefined].map(errorMessage)).toEqual([
    'said',
    'a string',
    '7',
    'null',
    'undefined',
  ]);
});

test('a system error has its code, and nothing else has one', () => {
  const thrown = () => {
    try {
      return readFileSync('/no/such/file');
    } catch (error) {
      return error;
    }
  };
  expect(errorCode(thrown())).toBe('ENOENT');
  for (const other of [new Error('x'), { code: 7 }, 'ENOENT', null, undefined])
    expect(errorCode(other)).toBeUndefined();
});
