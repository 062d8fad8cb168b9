import { expect, test } from 'vitest';
import { SendBudget } from '../../../src/peer/paths/send-budget.js';

const MINUTE_MS = 60_000;

function spendAll(budget: SendBudget, address: string, nowMs = 0): number {
  let spent = 0;
  while (spent < 1000 && budget.spend(address, nowMs)) spent += 1;
  return spent;
}

test('an address gets so many packets and no more', () => {
  expect(spendAll(new SendBudget(10, 100), '192.0.2.1')).toBe(10);
});

test('all addresses together get so many packets and no more', () => {
  const budget = new SendBudget(10, 25);
  expect(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => spendAll(budget, address))).toEqual([10, 10, 5]);
});

test('what was spent comes back in ten minutes, bit by bit and never more', () => {
  const budget = new SendBudget(10, 100);
  spendAll(budget, '192.0.2.1');
  expect(spendAll(budget, '192.0.2.1', MINUTE_MS)).toBe(1);
  expect(spendAll(budget, '192.0.2.1', 6 * MINUTE_MS)).toBe(5);
  expect(spendAll(budget, '192.0.2.1', 100 * MINUTE_MS)).toBe(10);
});

test('what was refused costs nothing', () => {
  const budget = new SendBudget(10, 20);
  for (let tries = 0; tries < 100; tries++) budget.spend('192.0.2.1', 0);
  expect(spendAll(budget, '192.0.2.2')).toBe(10);
});
