import { expect, it } from 'vitest';
import { explainDiskError } from '../../../src/peer/files/disk-errors.js';
import { ExitCode, ProtocolError, UserError } from '../../../src/protocol/errors.js';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: something, write`), { code, syscall: 'write' });
}

it.each([
  ['ENOSPC', 'is on a disk that is full', 'Free some space'],
  ['EDQUOT', 'quota is used up', 'Free some space'],
  ['EROFS', 'read-only', 'Make it writable'],
  ['EACCES', 'permission denied', 'Make it writable'],
  ['EPERM', 'permission denied', 'Make it writable'],
  ['ELOOP', 'in the place of a folder', 'Move that away'],
  ['EIO', 'EIO: something', ''],
])('%s says what is wrong, and that the transfer goes on', (code, wrong, hint) => {
  const explained = explainDiskError(systemError(code), '/some/folder');
  expect(explained).toBeInstanceOf(UserError);
  expect(explained).toMatchObject({ exitCode: ExitCode.transferIncomplete });
  expect((explained as UserError).message).toMatch(/^"\/some\/folder" /);
  expect((explained as UserError).message).toContain(wrong);
  expect((explained as UserError).hint).toContain(hint);
  expect((explained as UserError).hint).toContain('the transfer then goes on where it stopped');
});

it('what is no failure of the disk stays what it is', () => {
  for (const error of [
    new ProtocolError('x'),
    new UserError(ExitCode.usage, 'x', 'y'),
    new TypeError('x'),
    Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }),
  ]) {
    expect(explainDiskError(error, '/some/folder')).toBe(error);
  }
});
