import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { networkOf, StrangerLimits } from '../../src/server/limits.js';

describe('strangers', () => {
  test('of one network get as many places as there are, and not one more', () => {
    const limits = new StrangerLimits({ perNetwork: 3, inAll: 100 });
    for (let at = 0; at < 3; at++) expect(limits.enter('192.0.2.1')).not.toBeNull();
    expect(limits.enter('192.0.2.1')).toBeNull();
    expect(limits.enter('192.0.2.2')).not.toBeNull();
  });

  test('in all get as many places as there are, from wherever they come', () => {
    const limits = new StrangerLimits({ perNetwork: 100, inAll: 3 });
    for (let at = 0; at < 3; at++) expect(limits.enter(`192.0.2.${at}`)).not.toBeNull();
    expect(limits.enter('192.0.2.9')).toBeNull();
  });

  test('who leave make room for one each, even if they say so twice', () => {
    const limits = new StrangerLimits({ perNetwork: 1, inAll: 1 });
    const leave = limits.enter('2001:db8::1');
    expect(limits.enter('2001:db8::2')).toBeNull();
    leave?.();
    leave?.();
    expect(limits.enter('2001:db8::2')).not.toBeNull();
    expect(limits.enter('2001:db8::3')).toBeNull();
  });

  test('by default are hundreds from one address, and thousands in all', () => {
    const limits = new StrangerLimits();
    let admitted = 0;
    for (let address = 0; address < 20; address++) {
      for (let at = 0; at < 600; at++) if (limits.enter(`192.0.2.${address}`)) admitted += 1;
      if (address === 0) expect(admitted).toBe(512);
    }
    expect(admitted).toBe(4096);
  });
});

describe('a network', () => {
  test.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:3:4:5:6', true],
    ['2001:db8:1::', '2001:db8:1:0:ffff::1', true],
    ['::1', '::2', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8:0:1::1', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
  ])('is shared by %s and %s: %s', (one, other, shared) => {
    expect(networkOf(one) === networkOf(other)).toBe(shared);
  });

  test('of IPv6 is the first 64 bits, however the address is shortened', () => {
    const groups = fc.array(fc.constantFrom(0, 0, 1, 0xabcd), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (numbers) => {
        const shortened = new URL(`http://[${numbers.map((n) => n.toString(16)).join(':')}]`).hostname.slice(1, -1);
        const expected = numbers.slice(0, 4).map((n) => n.toString(16));
        expect(networkOf(shortened)).toBe(expected.join(':'));
      }),
    );
  });
});
