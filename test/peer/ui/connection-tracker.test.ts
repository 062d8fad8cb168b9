import { expect, test } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { ConnectionTracker } from '../../../src/peer/ui/connection-tracker.js';

const CONNECTED: SessionEvent = { event: 'connected', peer: 'x', path: 'relay', remote: 'r', rttMs: 1, group: 'g' };
const OFFLINE: SessionEvent = { event: 'offline', reason: 'r' };
const LOST: SessionEvent = { event: 'disconnected', reason: 'r' };

test('follows the session from state to state', () => {
  const tracker = new ConnectionTracker('connecting');
  const states = (
    [{ event: 'online' }, { event: 'waiting' }, CONNECTED, { event: 'waiting' }, LOST, { event: 'waiting' }] as const
  ).map((event) => {
    tracker.record(event);
    return tracker.state;
  });
  expect(states).toEqual(['connecting', 'waiting', 'connected', 'connected', 'reconnecting', 'waiting']);
});

test('a mediator that stays away is news once, and again after it was there', () => {
  const tracker = new ConnectionTracker('connecting');
  expect(tracker.record(OFFLINE)).toBe(true);
  expect(tracker.mediatorLost).toBe(true);
  expect(tracker.record(OFFLINE)).toBe(false);
  tracker.record({ event: 'online' });
  expect(tracker.mediatorLost).toBe(false);
  expect(tracker.record(OFFLINE)).toBe(true);
});

test('losing the mediator loses no connection', () => {
  const tracker = new ConnectionTracker('connecting');
  tracker.record(CONNECTED);
  tracker.record(OFFLINE);
  expect(tracker.state).toBe('connected');
});

test('everything else is news each time', () => {
  const tracker = new ConnectionTracker('connecting');
  const path: SessionEvent = { event: 'path', path: 'relay', remote: 'r', why: 'w' };
  expect([tracker.record(path), tracker.record(path)]).toEqual([true, true]);
});
