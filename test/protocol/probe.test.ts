import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeProbe,
  decodeProbeReply,
  encodeProbe,
  encodeProbeReply,
  keyIdOfProbe,
  PROBE_BYTES,
  probeKeyId,
} from '../../src/protocol/probe.js';

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
const key = bytesOf(32);
const nonce = bytesOf(8);
const cookie = bytesOf(8).filter((bytes) => bytes.some((byte) => byte !== 0));
const port = fc.integer({ min: 0, max: 65535 });
const reply = fc.record({
  nonce,
  cookie,
  seen: fc.record({ address: fc.ipV4(), port }),
  confirmed: fc.boolean(),
});

describe('a probe', () => {
  const probe = fc.record({ nonce, cookie: fc.option(cookie) });

  test('comes back as it was sent', () => {
    fc.assert(fc.property(key, probe, (k, sent) => void expect(decodeProbe(k, encodeProbe(k, sent))).toEqual(sent)));
  });

  test('names its key without holding it', () => {
    fc.assert(
      fc.property(key, probe, (k, sent) => {
        const packet = encodeProbe(k, sent);
        expect(keyIdOfProbe(packet)).toBe(probeKeyId(k));
        expect(packet.includes(k)).toBe(false);
      }),
    );
  });

  test('made with another key is nothing', () => {
    fc.assert(
      fc.property(key, key, probe, (mine, theirs, sent) => {
        fc.pre(!mine.equals(theirs));
        expect(decodeProbe(theirs, encodeProbe(mine, sent))).toBeNull();
      }),
    );
  });
});

describe('a reply', () => {
  test('comes back as it was sent', () => {
    fc.assert(
      fc.property(key, reply, (k, sent) => void expect(decodeProbeReply(k, encodeProbeReply(k, sent))).toEqual(sent)),
    );
  });

  test('is as long as the probe', () => {
    fc.assert(
      fc.property(key, reply, (k, sent) => {
        expect(encodeProbeReply(k, sent)).toHaveLength(encodeProbe(k, { nonce: sent.nonce, cookie: null }).length);
      }),
    );
  });

  test('does not show the address to a gateway that looks for it', () => {
    const seen = { address: '203.0.113.77', port: 40404 };
    const nothing = { nonce: Buffer.alloc(8, 0xa5), cookie: Buffer.alloc(8, 0x5a), confirmed: true };
    const packet = encodeProbeReply(Buffer.alloc(32, 1), { ...nothing, seen });
    expect(packet.includes(Buffer.from([203, 0, 113, 77]))).toBe(false);
    expect(packet.includes(Buffer.from([40404 >> 8, 40404 & 0xff]))).toBe(false);
  });
});

test('any byte changed, added or taken away makes it nothing', () => {
  const k = Buffer.alloc(32, 9);
  fc.assert(
    fc.property(reply, fc.nat(PROBE_BYTES - 1), fc.integer({ min: 1, max: 255 }), (sent, at, change) => {
      for (const packet of [encodeProbe(k, sent), encodeProbeReply(k, sent)]) {
        const changed = Buffer.from(packet);
        changed[at] = (changed[at] ?? 0) ^ change;
        for (const bytes of [changed, packet.subarray(1), packet.subarray(0, -1), Buffer.concat([packet, packet])]) {
          expect(decodeProbe(k, bytes)).toBeNull();
          expect(decodeProbeReply(k, bytes)).toBeNull();
        }
      }
    }),
  );
});

test('a probe is no reply and a reply no probe', () => {
  fc.assert(
    fc.property(key, reply, (k, sent) => {
      expect(decodeProbeReply(k, encodeProbe(k, sent))).toBeNull();
      const packet = encodeProbeReply(k, sent);
      expect(decodeProbe(k, packet)).toBeNull();
      expect(keyIdOfProbe(packet)).toBeNull();
    }),
  );
});

test('random bytes are nothing', () => {
  fc.assert(
    fc.property(key, fc.uint8Array({ maxLength: 80 }), (k, bytes) => {
      expect(keyIdOfProbe(Buffer.from(bytes))).toBeNull();
      expect(decodeProbe(k, Buffer.from(bytes))).toBeNull();
      expect(decodeProbeReply(k, Buffer.from(bytes))).toBeNull();
    }),
  );
});
