import { expect, it } from 'vitest';
import { preferenceOf } from '../../../src/peer/paths/preference.js';

it('prefers TCP to UDP, no gateway to one, and anything to the relay', () => {
  const bestFirst = [
    preferenceOf({ path: 'tcp-direct', sameNetwork: true }),
    preferenceOf({ path: 'udp-punch', sameNetwork: true }),
    preferenceOf({ path: 'tcp-direct', sameNetwork: false }),
    preferenceOf({ path: 'tcp-punch', sameNetwork: false }),
    preferenceOf({ path: 'udp-punch', sameNetwork: false }),
    preferenceOf({ path: 'relay', sameNetwork: false }),
  ];
  expect([...bestFirst].sort((a, b) => a - b)).toEqual(bestFirst);
  expect(new Set(bestFirst).size).toBe(bestFirst.length);
  expect(preferenceOf({ path: 'relay', sameNetwork: true })).toBe(preferenceOf({ path: 'relay', sameNetwork: false }));
});
