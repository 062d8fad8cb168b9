import net from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressBytes, addressOf } from '../../src/protocol/address-bytes.js';

test.each([
  ['192.0.2.1', '00000000000000000000ffffc0000201'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['2001:db8::1', '20010db8000000000000000000000001'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['1::', '00010000000000000000000000000000'],
  ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201'],
])('%s is %s', (address, hex) => {
  expect(addressBytes(address).toString('hex')).toBe(hex);
});

test('every IPv4 address comes back as it was', () => {
  fc.assert(fc.property(fc.ipV4(), (address) => void expect(addressOf(addressBytes(address))).toBe(address)));
});

test('every IPv6 address comes back as the same one, in the form in which Node writes it', () => {
  const canonical = (address: string) => new net.SocketAddress({ address, family: 'ipv6' }).address;
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const plain = canonical(address);
      // Those that are IPv4 addresses in disguise come back without it.
      fc.pre(!plain.includes('.'));
      expect(addressOf(addressBytes(address))).toBe(plain);
    }),
    { numRuns: 500 },
  );
});
