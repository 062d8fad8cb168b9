import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodePunch, encodePunch, PUNCH_BYTES, PUNCH_KINDS, punchKey, streamIdOf } from '../../src/protocol/punch.js';

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
const packet = fc.record({ kind: fc.constantFrom(...PUNCH_KINDS), nonce: bytesOf(8) });
const token = bytesOf(32);

test('a packet comes back as it was sent', () => {
  fc.assert(
    fc.property(token, packet, (t, sent) => {
      const key = punchKey(t, 'client');
      expect(decodePunch(key, encodePunch(key, sent))).toEqual(sent);
    }),
  );
});

test('one’s own packet, sent back, is nothing: each role has a key of its own', () => {
  fc.assert(
    fc.property(token, packet, (t, sent) => {
      expect(decodePunch(punchKey(t, 'server'), encodePunch(punchKey(t, 'client'), sent))).toBeNull();
    }),
  );
});

test('a packet made with another introduction’s token is nothing', () => {
  fc.assert(
    fc.property(token, token, packet, (mine, theirs, sent) => {
      fc.pre(!mine.equals(theirs));
      expect(decodePunch(punchKey(theirs, 'client'), encodePunch(punchKey(mine, 'client'), sent))).toBeNull();
    }),
  );
});

test('any byte changed, added or taken away makes it nothing', () => {
  const key = punchKey(Buffer.alloc(32, 3), 'client');
  fc.assert(
    fc.property(packet, fc.nat(PUNCH_BYTES - 1), fc.integer({ min: 1, max: 255 }), (sent, at, change) => {
      const bytes = encodePunch(key, sent);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      for (const wrong of [changed, bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(1)])])
        expect(decodePunch(key, wrong)).toBeNull();
    }),
  );
});

test('random bytes are nothing', () => {
  const key = punchKey(Buffer.alloc(32, 3), 'client');
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      (bytes) => void expect(decodePunch(key, Buffer.from(bytes))).toBeNull(),
    ),
  );
});

test('it is not taken for a packet of a udx stream', () => {
  expect(encodePunch(Buffer.alloc(32), { kind: 'ping', nonce: Buffer.alloc(8) })[0]).not.toBe(0xff);
});

test('the two ends of a stream have different numbers, and another introduction has others', () => {
  const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const ids = [one, other].flatMap((t) => [streamIdOf(t, 'client'), streamIdOf(t, 'server')]);
  expect(new Set(ids).size).toBe(4);
});
