import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { networkOf, type Stranger, StrangerLimits } from '../../src/server/limits.js';

/** Enters strangers and notes who was shown out, by the order of coming. */
class Crowd {
  readonly limits: StrangerLimits;
  readonly shownOut: number[] = [];
  #count = 0;

  constructor(perNetwork: number, inAll: number) {
    this.limits = new StrangerLimits({ perNetwork, inAll });
  }

  enter(address: string): Stranger | null {
    this.#count += 1;
    const number = this.#count;
    return this.limits.enter(address, () => void this.shownOut.push(number));
  }
}

describe('strangers', () => {
  test('of one network have so many places, and one more takes that of the one who has been silent longest', () => {
    const crowd = new Crowd(3, 100);
    for (let at = 0; at < 3; at++) expect(crowd.enter('192.0.2.1')).not.toBeNull();
    expect(crowd.enter('192.0.2.2')).not.toBeNull();
    expect(crowd.shownOut).toEqual([]);
    expect(crowd.enter('192.0.2.1')).not.toBeNull();
    expect(crowd.enter('192.0.2.1')).not.toBeNull();
    expect(crowd.shownOut).toEqual([1, 2]);
  });

  test('in all have so many places, from wherever they come', () => {
    const crowd = new Crowd(100, 3);
    for (let at = 0; at < 3; at++) crowd.enter(`192.0.2.${at}`);
    expect(crowd.enter('192.0.2.9')).not.toBeNull();
    expect(crowd.shownOut).toEqual([1]);
  });

  test('whom we keep waiting lose no place: the next is turned away, until one of them owes us a word again', () => {
    const crowd = new Crowd(2, 100);
    const [one, other] = [crowd.enter('192.0.2.1'), crowd.enter('192.0.2.1')];
    for (const stranger of [one, other]) stranger?.keepWaiting();
    expect(crowd.enter('192.0.2.1')).toBeNull();
    expect(crowd.enter('192.0.2.2')).not.toBeNull();
    other?.waitFor();
    expect(crowd.enter('192.0.2.1')).not.toBeNull();
    expect(crowd.shownOut).toEqual([2]);
  });

  test('who leave make room for one each, even if they say so twice', () => {
    const crowd = new Crowd(1, 1);
    const one = crowd.enter('2001:db8::1');
    one?.leave();
    one?.leave();
    one?.waitFor();
    expect(crowd.enter('2001:db8::2')).not.toBeNull();
    expect(crowd.shownOut).toEqual([]);
    crowd.enter('2001:db8::3');
    expect(crowd.shownOut).toEqual([2]);
  });

  test('by default are hundreds from one address, and thousands in all', () => {
    const limits = new StrangerLimits();
    let shownOut = 0;
    const showOut = () => {
      shownOut += 1;
    };
    const enter = (address: string, times: number) => {
      for (let at = 0; at < times; at++) limits.enter(address, showOut);
    };
    enter('192.0.2.0', 512);
    expect(shownOut).toBe(0);
    enter('192.0.2.0', 100);
    expect(shownOut).toBe(100);
    for (let address = 1; address < 8; address++) enter(`192.0.2.${address}`, 512);
    expect(shownOut).toBe(100);
    enter('192.0.2.8', 100);
    expect(shownOut).toBe(200);
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
