import os from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hostAddresses,
  isLoopback,
  isOnOwnNetwork,
  isOwnAddress,
  isPrivate,
  isUsable,
} from '../../../src/peer/paths/addresses.js';

const byte = fc.integer({ min: 0, max: 255 });
const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));

function ipv4(first: fc.Arbitrary<string>, rest: number): fc.Arbitrary<string> {
  return fc
    .tuple(first, fc.array(byte, { minLength: rest, maxLength: rest }))
    .map(([head, tail]) => [head, ...tail].join('.'));
}

/** In full length, then as the system writes it. */
function ipv6(first: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(first, fc.array(group, { minLength: 7, maxLength: 7 }))
    .map(([head, tail]) => new URL(`http://[${[head, ...tail].join(':')}]`).hostname.slice(1, -1));
}

const numbers = (min: number, max: number) => fc.integer({ min, max }).map(String);
const hex = (min: number, max: number) => fc.integer({ min, max }).map((value) => value.toString(16));

describe('isUsable', () => {
  const never: [string, fc.Arbitrary<string>][] = [
    ['"this network" of IPv4', ipv4(fc.constant('0'), 3)],
    ['link-local IPv4', ipv4(fc.constant('169.254'), 2)],
    ['multicast, reserved and broadcast IPv4', ipv4(numbers(224, 255), 3)],
    ['link-local IPv6', ipv6(hex(0xfe80, 0xfebf))],
    ['multicast IPv6', ipv6(hex(0xff00, 0xffff))],
    ['IPv4-mapped IPv6, with dots', ipv4(numbers(0, 255), 3).map((address) => `::ffff:${address}`)],
    ['IPv4-mapped IPv6, in hex', fc.tuple(group, group).map(([high, low]) => `::ffff:${high}:${low}`)],
    ['IPv4-mapped IPv6, in full', fc.tuple(group, group).map(([high, low]) => `0:0:0:0:0:ffff:${high}:${low}`)],
    ['IPv4-compatible IPv6', fc.tuple(hex(1, 0xffff), group).map(([high, low]) => `::${high}:${low}`)],
    ['with a zone', ipv6(hex(0x2000, 0x3fff)).map((address) => `${address}%eth0`)],
    ['names', fc.domain()],
    ['anything that is no address', fc.string().filter((text) => !/^[0-9a-f:.]+$/i.test(text))],
  ];

  it.each(never)('never: %s', (_, addresses) => {
    fc.assert(
      fc.property(addresses, fc.boolean(), (address, loopbackAllowed) => {
        expect(isUsable(address, loopbackAllowed)).toBe(false);
      }),
    );
  });

  it.each([
    '::',
    '0.0.0.0',
    '255.255.255.255',
    'FE80::1',
    'fe80::1%2',
    '',
    ' 192.0.2.1',
    '192.0.2.1 ',
    '192.0.2.01',
    '1',
  ])('never: %j', (address) => {
    expect(isUsable(address, true)).toBe(false);
    expect(isUsable(address, false)).toBe(false);
  });

  const always: [string, fc.Arbitrary<string>][] = [
    ['IPv4 at large', ipv4(numbers(1, 126), 3)],
    ['private IPv4', ipv4(fc.constantFrom('10.0', '172.16', '192.168', '100.64'), 2)],
    ['global IPv6', ipv6(hex(0x2000, 0x3fff))],
    ['unique local IPv6', ipv6(hex(0xfc00, 0xfdff))],
  ];

  it.each(always)('always: %s', (_, addresses) => {
    fc.assert(
      fc.property(addresses, fc.boolean(), (address, loopbackAllowed) => {
        expect(isUsable(address, loopbackAllowed)).toBe(true);
      }),
    );
  });

  it('loopback, only when it is allowed', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4(fc.constant('127'), 3), fc.constant('::1')), (address) => {
        expect(isLoopback(address)).toBe(true);
        expect(isUsable(address, true)).toBe(true);
        expect(isUsable(address, false)).toBe(false);
      }),
    );
  });

  it('no address in a longer form than need be, so that none is tried twice', () => {
    expect(isUsable('2001:db8::1', false)).toBe(true);
    expect(isUsable('2001:db8:0:0:0:0:0:1', false)).toBe(false);
    expect(isUsable('2001:DB8::1', false)).toBe(false);
  });
});

describe('this machine', () => {
  const own = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);

  it('tells a peer every address that it has and may be used, each once', () => {
    const told = hostAddresses(false);
    expect(new Set(told).size).toBe(told.length);
    for (const address of told) expect(isUsable(address, false)).toBe(true);
    const globals = own.filter(({ address, internal, scopeid }) => !internal && !scopeid && !address.includes('%'));
    for (const { address } of globals.filter(({ address }) => !address.startsWith('169.254.'))) {
      expect(told).toContain(address);
    }
  });

  it('tells loopback addresses only when they are allowed', () => {
    expect(hostAddresses(true)).toContain('127.0.0.1');
    expect(hostAddresses(false)).not.toContain('127.0.0.1');
  });

  it('has its own addresses on its own network, and no others', () => {
    for (const { address } of own) expect(isOnOwnNetwork(address)).toBe(true);
    expect(isOnOwnNetwork('198.51.100.77')).toBe(false);
    expect(isOnOwnNetwork('2001:db8:ffff::1')).toBe(false);
  });
});

describe('isOwnAddress', () => {
  it('knows the addresses of this machine, in whatever form the system says them', () => {
    for (const address of [...hostAddresses(true), '127.0.0.1', '127.0.0.2', '::ffff:127.0.0.1'])
      expect(isOwnAddress(address)).toBe(true);
    for (const address of ['198.51.100.77', '2001:db8:ffff::1']) expect(isOwnAddress(address)).toBe(false);
  });
});

describe('isPrivate', () => {
  it.each([
    ['10.0.0.1', true],
    ['100.63.255.255', false],
    ['100.64.0.0', true],
    ['100.127.255.255', true],
    ['100.128.0.0', false],
    ['172.15.255.255', false],
    ['172.16.0.0', true],
    ['172.32.0.0', false],
    ['192.168.255.1', true],
    ['192.169.0.1', false],
    ['fd00::1', true],
    ['2001:db8::1', false],
  ])('%s: %s', (address, expected) => {
    expect(isPrivate(address)).toBe(expected);
  });
});
