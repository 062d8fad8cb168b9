import { expect, test } from 'vitest';
import { nearNames } from '../../../src/peer/settings/near-names.js';

test('near names are those that a slip of the fingers makes, or that begin alike', () => {
  const names = ['alice', 'bob', 'bobby', 'charlotte'];
  expect(nearNames('Alcie', names)).toEqual([]);
  expect(nearNames('alise', names)).toEqual(['alice']);
  expect(nearNames('ALICE', names)).toEqual(['alice']);
  expect(nearNames('bobb', names)).toEqual(['bob', 'bobby']);
  expect(nearNames('charlot', names)).toEqual(['charlotte']);
  expect(nearNames('charllote', names)).toEqual(['charlotte']);
  expect(nearNames('xyz', names)).toEqual([]);
  expect(nearNames('', [])).toEqual([]);
});
