import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_LIFETIME_MS } from '../../../src/protocol/constants.js';
import { HandDrivenPeer } from './hand-driven-peer.js';
import { PAIR, Person } from './two-sessions.js';

let victim: Person;
let peer: HandDrivenPeer;
beforeEach(async () => {
  victim = new Person(PAIR.great, PAIR.small);
  peer = await HandDrivenPeer.connect(victim);
});
afterEach(() => victim.stop());

it('a peer of an older version is not asked, and is said to be one', () => {
  // What an older version says of itself.
  victim.session.active?.link.facts.hello.features.splice(0);
  expect(() => victim.session.disappear(60)).toThrow('does not know messages that disappear');
  expect(victim.session.status('waiting').outbox).toBe(0);
});

it('a lifetime that nobody agreed on deletes nothing', async () => {
  peer.items({ kind: 'text', text: 'stay', lifetimeMs: 1_000 });
  await victim.event('message', ({ text }) => text === 'stay');
  peer.items(
    { kind: 'disappearAnswer', number: 1, agreed: true },
    { kind: 'text', text: 'stay too', lifetimeMs: 1_000 },
  );
  await victim.event('message', ({ text }) => text === 'stay too');
  expect(victim.journal.vanish(Date.now() + 10_000)).toEqual([]);
  expect(victim.all('disappearing')).toEqual([]);
});

it('what the person agreed on is heeded, and carried by what is written from then on', async () => {
  peer.items({ kind: 'disappear', lifetimeMs: 60_000, number: 7 });
  await victim.event('disappearing', ({ what, by }) => what === 'proposed' && by === 'peer');
  victim.session.message('before');
  victim.session.answerDisappear(true);
  victim.session.message('after');
  expect(await peer.nextItem('disappearAnswer')).toMatchObject({ number: 7, agreed: true });
  const after = await peer.next('item', ({ body }) => body.kind === 'text' && body.text === 'after');
  expect(after.body).toMatchObject({ lifetimeMs: 60_000 });
  const before = await peer.next('item', ({ body }) => body.kind === 'text' && body.text === 'before');
  expect(before.body).toMatchObject({ lifetimeMs: 0 });
  peer.items(
    { kind: 'text', text: 'goes', lifetimeMs: 60_000 },
    { kind: 'text', text: 'other time', lifetimeMs: 5_000 },
  );
  await victim.event('message', ({ text }) => text === 'other time');
  expect(victim.journal.vanish(Date.now() + 120_000)).toHaveLength(1);
});

it('a lifetime beyond all bounds ends the link', async () => {
  peer.items({ kind: 'disappear', lifetimeMs: MAX_LIFETIME_MS + 1, number: 1 });
  await peer.ended;
  expect(victim.all('disappearing')).toEqual([]);
});
