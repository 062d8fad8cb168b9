import { expect, test } from 'vitest';
import { KnownNetworks } from '../../src/server/known-networks.js';

test('a network is known from its first success on, and who succeeded longest ago is forgotten first', () => {
  const known = new KnownNetworks(3);
  for (const network of ['one', 'two', 'three', 'one', 'four']) known.note(network);
  expect(['one', 'two', 'three', 'four'].filter((network) => known.has(network))).toEqual(['one', 'three', 'four']);
});
