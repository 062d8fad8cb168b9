import { describe, expect, it } from 'vitest';
import { examineClock, examineName } from '../../../src/peer/doctor/examine-mediator.js';

const never = new AbortController().signal;

describe('clocks', () => {
  it.each([
    [0, 20, 'ok'],
    [-9_000, 0, 'ok'],
    [10_500, 1_000, 'ok'],
    [10_000, 0, 'failed'],
    [-3_600_000, 500, 'failed'],
  ])('that are %d ms apart, give or take %d ms: %s', (aheadMs, giveOrTakeMs, status) => {
    expect(examineClock({ aheadMs, giveOrTakeMs })).toMatchObject({ status, facts: { mediatorAheadMs: aheadMs } });
  });

  it.each([
    [-90_000, '90 s ahead of'],
    [-200_000, '3 minutes ahead of'],
    [11_000, '11 s behind'],
    [5 * 3_600_000, '5 hours behind'],
    [-40 * 86_400_000, '40 days ahead of'],
  ])('%d ms apart are said to be %s', (aheadMs, words) => {
    expect(examineClock({ aheadMs, giveOrTakeMs: 1 }).message).toContain(`${words} the mediator's`);
  });
});

describe('a name', () => {
  it('that is an address is left as it is', async () => {
    const { finding, addresses } = await examineName({ host: '2001:db8::1', port: 1 }, never);
    expect(addresses).toEqual(['2001:db8::1']);
    expect(finding).toMatchObject({ status: 'ok', facts: { ipv4: [], ipv6: ['2001:db8::1'] } });
  });

  it('of this machine has its addresses', async () => {
    const { finding, addresses } = await examineName({ host: 'localhost', port: 1 }, never);
    expect(addresses.length).toBeGreaterThan(0);
    expect(finding.message).toContain(addresses[0]);
  });

  it('is waited for no longer than the person does', async () => {
    const leaving = new AbortController();
    const examining = examineName({ host: 'localhost', port: 1 }, leaving.signal);
    leaving.abort(new Error('the person has left'));
    await expect(examining).rejects.toThrow('the person has left');
  });
});
