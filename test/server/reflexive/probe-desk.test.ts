import { describe, expect, test } from 'vitest';
import { decodeProbeReply, encodeProbe, PROBE_BYTES, type ProbeReply } from '../../../src/protocol/probe.js';
import {
  MAX_REPLIES,
  MAX_UNCONFIRMED_REPLIES,
  PROBE_KEY_LIFE_MS,
  ProbeDesk,
} from '../../../src/server/reflexive/probe-desk.js';

const KEY = Buffer.alloc(32, 1);
const OTHER_KEY = Buffer.alloc(32, 2);
const HERE = { address: '192.0.2.7', port: 40000 };
const THERE = { address: '198.51.100.8', port: 40000 };
const NONCE = Buffer.alloc(8, 3);

function deskThatExpects(...keys: Buffer[]): ProbeDesk {
  const desk = new ProbeDesk(0);
  for (const key of keys) desk.expect(key, 0);
  return desk;
}

function ask(desk: ProbeDesk, source = HERE, cookie: Buffer | null = null, nowMs = 1, key = KEY): ProbeReply | null {
  const packet = desk.answer(encodeProbe(key, { nonce: NONCE, cookie }), source, nowMs);
  return packet && decodeProbeReply(key, packet);
}

test('tells a peer where its probe came from, which counts once it has echoed the cookie', () => {
  const desk = deskThatExpects(KEY);
  const first = ask(desk);
  expect(first).toMatchObject({ nonce: NONCE, seen: HERE, confirmed: false });
  expect(ask(desk, HERE, first?.cookie)).toMatchObject({ seen: HERE, confirmed: true });
});

test('a key that was taken back is answered no longer, and the others are', () => {
  const desk = deskThatExpects(KEY, OTHER_KEY);
  desk.forget(KEY);
  expect(ask(desk)).toBeNull();
  expect(ask(desk, HERE, null, 1, OTHER_KEY)).not.toBeNull();
  expect(desk.size).toBe(1);
});

test('a cookie counts for no other source and for no other key', () => {
  const desk = deskThatExpects(KEY, OTHER_KEY);
  const cookie = ask(desk)?.cookie ?? null;
  expect(ask(desk, THERE, cookie)?.confirmed).toBe(false);
  expect(ask(desk, { ...HERE, port: 40001 }, cookie)?.confirmed).toBe(false);
  expect(ask(desk, HERE, cookie, 1, OTHER_KEY)?.confirmed).toBe(false);
});

describe('says nothing', () => {
  test('to a key that it did not give out, or that has expired', () => {
    const desk = deskThatExpects(KEY);
    expect(ask(desk, HERE, null, 1, OTHER_KEY)).toBeNull();
    expect(ask(desk, HERE, null, PROBE_KEY_LIFE_MS - 1)).not.toBeNull();
    expect(ask(desk, HERE, null, PROBE_KEY_LIFE_MS)).toBeNull();
  });

  test('to a probe that was tampered with, or is no probe', () => {
    const desk = deskThatExpects(KEY);
    const probe = encodeProbe(KEY, { nonce: NONCE, cookie: null });
    const tampered = Buffer.from(probe);
    tampered[20] = 0;
    for (const packet of [tampered, probe.subarray(0, -1), Buffer.alloc(0), Buffer.alloc(PROBE_BYTES)])
      expect(desk.answer(packet, HERE, 1)).toBeNull();
    expect(desk.answer(probe, HERE, 1)).toHaveLength(probe.length);
  });
});

test('replies to sources that echo nothing are few, those that echoed are answered still', () => {
  const desk = deskThatExpects(KEY, OTHER_KEY);
  const cookie = ask(desk)?.cookie ?? null;
  const replies = Array.from({ length: 2 * MAX_UNCONFIRMED_REPLIES }, () => ask(desk, THERE)).filter(Boolean);
  expect(replies).toHaveLength(MAX_UNCONFIRMED_REPLIES - 1);
  expect(ask(desk, HERE, cookie)?.confirmed).toBe(true);
  expect(ask(desk, THERE, null, 1, OTHER_KEY)).not.toBeNull();
});

test('one key has so many replies and no more', () => {
  const desk = deskThatExpects(KEY);
  const cookie = ask(desk)?.cookie ?? null;
  const replies = Array.from({ length: 2 * MAX_REPLIES }, () => ask(desk, HERE, cookie)).filter(Boolean);
  expect(replies).toHaveLength(MAX_REPLIES - 1);
});

test('keys that have expired are forgotten', () => {
  const desk = new ProbeDesk(0);
  for (let at = 0; at < 100; at++) desk.expect(Buffer.alloc(32, at), at);
  expect(desk.size).toBe(100);
  desk.expect(Buffer.alloc(32, 200), PROBE_KEY_LIFE_MS + 50);
  expect(desk.size).toBe(50);
});
