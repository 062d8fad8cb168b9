import { describe, expect, test } from 'vitest';
import { rowWidth } from '../../../src/peer/ui/rows.js';
import { type StatusModel, statusRow } from '../../../src/peer/ui/status-line.js';
import { rowText } from '../../support/rows.js';

const LINK = { path: 'tcp-direct', remote: 'r', rttMs: 11.6, group: 'X25519MLKEM768', why: 'w' } as const;
const CONNECTED: StatusModel = {
  peer: { id: 'x', name: 'bob', verified: true },
  state: 'connected',
  link: LINK,
  mediatorLost: false,
  outbox: 0,
  lifetime: 0,
};

function text(change: Partial<StatusModel>, width = 80): string {
  return rowText(statusRow({ ...CONNECTED, ...change }, width)).trim();
}

describe('the status line', () => {
  test.each([
    [{}, 'bob ✓  tcp-direct · 12 ms · post-quantum'],
    [{ link: { ...LINK, group: 'X25519' } }, 'bob ✓  tcp-direct · 12 ms · not post-quantum'],
    [
      { peer: { id: 'x', name: 'bob', verified: false } },
      'bob  tcp-direct · 12 ms · post-quantum · not verified yet: /verify',
    ],
    [{ lifetime: 3600 }, 'bob ✓  tcp-direct · disappearing after 1 hour · 12 ms · post-quantum'],
    [
      { state: 'waiting' as const, link: null, lifetime: 90 },
      'bob ✓  waiting for bob to come · disappearing after 90 seconds',
    ],
    [{ state: 'waiting' as const, link: null }, 'bob ✓  waiting for bob to come'],
    [{ state: 'reconnecting' as const, outbox: 2 }, 'bob ✓  the link is gone, reconnecting · 2 to deliver'],
    [{ state: 'connecting' as const }, 'bob ✓  connecting'],
    [{ state: 'waiting' as const, mediatorLost: true }, 'bob ✓  the mediator is out of reach, trying again'],
    [{ mediatorLost: true }, 'bob ✓  tcp-direct · 12 ms · post-quantum'],
  ])('%j says %s', (change, words) => {
    expect(text(change)).toBe(words);
  });

  test('gets shorter in steps, the least important first', () => {
    const unverified = { peer: { id: 'x', name: 'bob', verified: false } };
    expect(text(unverified, 60)).toBe('bob  tcp-direct · 12 ms · post-quantum');
    expect(text(unverified, 38)).toBe('bob  tcp-direct · 12 ms · PQ');
    expect(text({ state: 'waiting', mediatorLost: true }, 40)).toBe('bob ✓  no mediator, retrying');
    expect(text({ lifetime: 604_800 }, 40)).toBe('bob ✓  tcp-direct · gone after 1w');
    expect(text({}, 27)).toBe('bob ✓  tcp-direct · 12 ms');
    expect(text({}, 20)).toBe('bob ✓  tcp-direct');
  });

  test.each([1, 5, 10, 20, 40, 80, 200])('fills %d columns and no more', (width) => {
    const long = { peer: { id: 'x', name: '你好'.repeat(60), verified: true } };
    expect(rowWidth(statusRow({ ...CONNECTED, ...long }, width))).toBe(width);
  });

  test('a name cannot command the terminal', () => {
    expect(text({ peer: { id: 'x', name: 'b\x1b[2J', verified: true } })).toContain('b\ufffd[2J ✓');
  });
});
