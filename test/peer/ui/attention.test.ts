import { expect, test } from 'vitest';
import { Attention } from '../../../src/peer/ui/attention.js';

test('what comes in is seen once, when someone looks', () => {
  const attention = new Attention();
  attention.focused = false;
  expect(attention.arrived('1')).toBe(true);
  expect(attention.arrived('2')).toBe(false);
  expect(attention.seen()).toEqual([]);
  attention.focused = true;
  expect(attention.seen()).toEqual(['1', '2']);
  expect(attention.seen()).toEqual([]);
  expect(attention.arrived('3')).toBe(true);
});

test('a terminal that tells nothing is taken to be looked at, and rings', () => {
  const attention = new Attention();
  expect(attention.looking).toBe(true);
  expect(attention.shouldRing(0)).toBe(true);
});

test('the bell rings at most once a second, and not for someone who looks', () => {
  const attention = new Attention();
  attention.focused = false;
  expect(attention.shouldRing(0)).toBe(true);
  expect(attention.shouldRing(999)).toBe(false);
  expect(attention.shouldRing(1000)).toBe(true);
  attention.focused = true;
  expect(attention.shouldRing(5000)).toBe(false);
});

test('a key pressed proves that someone is there', () => {
  const attention = new Attention();
  attention.touched();
  expect(attention.focused).toBeUndefined();
  attention.focused = false;
  attention.touched();
  expect(attention.focused).toBe(true);
});
