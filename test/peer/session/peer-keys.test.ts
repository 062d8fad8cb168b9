import { describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { PeerKeys } from '../../../src/peer/session/peer-keys.js';
import type { Identity } from '../../../src/protocol/identity.js';
import { declareSuccession } from '../../../src/protocol/succession.js';
import { verificationWords } from '../../../src/protocol/words.js';
import { newIdentity } from '../../support/keys.js';

const [first, second, third, thief] = [newIdentity(), newIdentity(), newIdentity(), newIdentity()];

/** The keys of a peer that is known by its first one, with what the person is told, and notes that outlive it. */
function peer(notes = new Map<string, string>(), id = first.id) {
  const events: SessionEvent[] = [];
  const memory = {
    recall: (name: string) => notes.get(name) ?? '',
    remember: (name: string, value: string) => void notes.set(name, value),
  };
  const keys = new PeerKeys(id, memory, (event) => events.push(event));
  const hears = (former: Identity, successor: Identity) =>
    keys.receive(declareSuccession(former, successor, 1).statement.toString('hex'))();
  return { keys, events, notes, hears };
}

const refused = { event: 'error', code: 6 };

describe('a peer that names another key', () => {
  test('asks the person, who is told its words, and is asked again when the program was started anew', () => {
    const { hears, events, keys, notes } = peer();
    expect(keys.offered()).toBeNull();
    hears(first, second);
    const asked = { event: 'succession', peer: first.id, id: second.id, words: verificationWords(second.id).join(' ') };
    expect(events).toEqual([asked]);
    const later = peer(notes);
    later.keys.tell(true);
    expect(later.events).toEqual([{ ...asked, replayed: true }]);
  });

  test('and then yet another asks for the last one alone', () => {
    const { hears, keys } = peer();
    hears(first, second);
    hears(second, third);
    expect(keys.offered()?.id).toBe(third.id);
    keys.peerId = third.id;
    expect(keys.offered()).toBeNull();
  });

  test('asks once, however often it says the same, and not again when the person has followed', () => {
    const { hears, events, keys } = peer();
    for (let time = 0; time < 3; time += 1) hears(first, second);
    expect(events).toHaveLength(1);
    keys.peerId = second.id;
    hears(first, second);
    keys.tell(true);
    expect(events).toHaveLength(1);
  });
});

describe('two different successors of one key', () => {
  test('are both refused, loudly, with the words of both, for good', () => {
    const { hears, events, keys, notes } = peer();
    hears(first, second);
    hears(first, thief);
    expect(events.at(-1)).toMatchObject(refused);
    const message = String((events.at(-1) as { message?: unknown }).message);
    for (const { id } of [second, thief]) expect(message).toContain(verificationWords(id).join(' '));
    expect(() => keys.offered()).toThrow('two different successors');
    expect(() => peer(notes).keys.offered()).toThrow('two different successors');
    hears(first, third);
    expect(() => keys.offered()).toThrow('two different successors');
  });

  test('are noticed too when one of them was followed long ago, or came later in the line', () => {
    const followed = peer();
    followed.hears(first, second);
    followed.keys.peerId = second.id;
    followed.hears(first, thief);
    expect(followed.events.at(-1)).toMatchObject(refused);
    const further = peer();
    further.hears(first, second);
    further.hears(second, third);
    further.hears(second, thief);
    expect(() => further.keys.offered()).toThrow('two different successors');
  });
});

describe('what does not hold', () => {
  test('is told and not believed: signatures that are wrong, keys that are not the peer’s, and no succession at all', () => {
    const { keys, events, hears } = peer();
    const forged = declareSuccession(first, second, 1).statement;
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    keys.receive(forged.toString('hex'))();
    keys.receive('')();
    hears(thief, second);
    expect(events).toEqual([refused, refused, refused].map((each) => expect.objectContaining(each)));
    expect(keys.offered()).toBeNull();
  });

  test('in damaged notes is as if it had never been said', () => {
    for (const damaged of ['{', '["AAAA"]', '7', 'null']) {
      expect(peer(new Map([['successions', damaged]])).keys.offered()).toBeNull();
    }
  });

  test('without end does not fill the disk', () => {
    const { keys, hears } = peer();
    const line = [first, second, third, thief];
    for (let at = 0; at < 300; at += 1) {
      const [a, b] = [line[at % 4] ?? first, line[(at + 1 + (at % 3)) % 4] ?? second];
      if (a !== b) hears(a, b);
    }
    expect(() => keys.offered()).toThrow();
  });
});
