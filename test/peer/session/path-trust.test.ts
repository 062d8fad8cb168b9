import { expect, it } from 'vitest';
import { PathTrust } from '../../../src/peer/session/path-trust.js';

it('a path is trusted until its link dies young', () => {
  const trust = new PathTrust();
  expect(trust.penalty('tcp-direct', 0)).toBe(0);
  trust.lost('tcp-direct', 20_000, 1_000);
  expect(trust.penalty('tcp-direct', 1_001)).toBeGreaterThan(10);
  expect(trust.penalty('relay', 1_001)).toBe(0);
});

it('distrust ends by itself, and lasts twice as long each time, at most ten minutes', () => {
  const trust = new PathTrust();
  const lastingMs = (): number => {
    let ms = 0;
    while (trust.penalty('udp-punch', ms) > 0) ms += 1_000;
    return ms;
  };
  const lasting = Array.from({ length: 10 }, () => {
    trust.lost('udp-punch', 10, 0);
    return lastingMs();
  });
  expect(lasting.slice(0, 4)).toEqual([15_000, 30_000, 60_000, 120_000]);
  expect(lasting.at(-1)).toBe(600_000);
});

it('a long life restores the trust', () => {
  const trust = new PathTrust();
  trust.lost('tcp-punch', 10, 0);
  trust.lost('tcp-punch', 60_000, 5);
  expect(trust.penalty('tcp-punch', 6)).toBe(0);
  trust.lost('tcp-punch', 10, 10);
  expect(trust.penalty('tcp-punch', 15_011)).toBe(0);
});
