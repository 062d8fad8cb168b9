import { expect, test } from 'vitest';
import { coarseAddress, coarseId, withoutIds } from '../../src/server/coarse.js';

test.each([
  ['203.0.113.77', '203.0.113.0/24'],
  ['2001:db8:1:2::77', '2001:db8:1::/48'],
  ['2001:db8::77', '2001:db8:0::/48'],
  ['::1', '0:0:0::/48'],
  ['', 'somewhere'],
])('%s is told as %s', (address, told) => {
  expect(coarseAddress(address)).toBe(told);
});

test('an id is told as its first four digits', () => {
  expect(coarseId(`0123${'4567'.repeat(15)}`)).toBe('0123');
});

test('of ids in file names is left what finds the file', () => {
  const [former, successor] = ['0123456789abcdef', 'fedcba9876543210'];
  expect(withoutIds(`/srv/certs/succession-${former}-${successor}.pem`)).toBe('/srv/certs/succession-0123*-fedc*.pem');
  expect(withoutIds(`ENOSPC: link '.new-0a1b2c3d4e5f' -> 'revoked/${former.repeat(4)}'`)).toBe(
    "ENOSPC: link '.new-0a1b2c3d4e5f' -> 'revoked/0123*'",
  );
});
