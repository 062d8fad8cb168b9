import { open } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { describeSystemError } from '../../src/shared/system-error.js';

test('a system error is described without its call and path', async () => {
  const error = await open('/not/there').catch((thrown: unknown) => thrown);
  expect(describeSystemError(error)).toBe('no such file or directory');
});

test('what is none says itself what it is', () => {
  expect(describeSystemError(new Error('out of luck'))).toBe('out of luck');
});
