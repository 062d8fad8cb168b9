import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  lengthPrefixed,
  MEDIATOR_EXPORTER_LABEL,
  mediatorTranscript,
  PEER_EXPORTER_LABEL,
  type PeerTranscript,
  peerTranscript,
} from '../../src/protocol/transcripts.js';

const filled = (byte: number) => Buffer.alloc(32, byte);
const hex = (byte: number) => filled(byte).toString('hex');
const P32 = '00000020';

/** These bytes are signed by every peer there is: if one of these tests fails, nobody can talk to an older version. */
describe('the transcript', () => {
  test('of the first handshake is these bytes', () => {
    const transcript = mediatorTranscript({
      peerId: hex(0x11),
      wantedId: hex(0x22),
      mediatorId: hex(0x33),
      nonce: filled(0x44),
      exporter: filled(0x55),
    });
    const label = '00000015747572626f2d626565702f31206d65646961746f72';
    const parts = [0x11, 0x22, 0x33, 0x44, 0x55].map((byte) => P32 + hex(byte));
    expect(transcript.toString('hex')).toBe(label + parts.join(''));
  });

  const connection = { clientId: hex(0x11), serverId: hex(0x22), exporter: filled(0x33) };

  test('of the TLS client’s proof is these bytes', () => {
    const label = '00000018747572626f2d626565702f3120706565722d636c69656e74';
    const parts = [0x11, 0x22, 0x22, 0x33].map((byte) => P32 + hex(byte));
    expect(peerTranscript({ signer: 'client', ...connection }).toString('hex')).toBe(label + parts.join(''));
  });

  test('of the TLS server’s proof is these bytes', () => {
    const label = '00000018747572626f2d626565702f3120706565722d736572766572';
    const parts = [0x11, 0x22, 0x11, 0x33].map((byte) => P32 + hex(byte));
    expect(peerTranscript({ signer: 'server', ...connection }).toString('hex')).toBe(label + parts.join(''));
  });

  test('of different facts is different', () => {
    const id = fc.constantFrom(hex(1), hex(2), hex(3));
    const exporter = fc.constantFrom(filled(1), filled(2));
    const facts = fc.record({ signer: fc.constantFrom('client', 'server'), clientId: id, serverId: id, exporter });
    const same = (a: PeerTranscript, b: PeerTranscript) =>
      a.signer === b.signer && a.clientId === b.clientId && a.serverId === b.serverId && a.exporter.equals(b.exporter);
    fc.assert(
      fc.property(facts, facts, (a, b) => {
        const [one, other] = [a as PeerTranscript, b as PeerTranscript];
        expect(peerTranscript(one).equals(peerTranscript(other))).toBe(same(one, other));
      }),
      { numRuns: 500 },
    );
  });
});

test('the exporter labels are these, one for each handshake', () => {
  expect(MEDIATOR_EXPORTER_LABEL).toBe('EXPORTER-turbo-beep/1-mediator');
  expect(PEER_EXPORTER_LABEL).toBe('EXPORTER-turbo-beep/1-peer');
});

describe('length-prefixed parts', () => {
  const parts = fc.array(
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 6 },
  );

  test('can be taken apart again, so no two lists give the same bytes', () => {
    fc.assert(
      fc.property(parts, (list) => {
        const bytes = lengthPrefixed(list);
        const found = [];
        for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at))
          found.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)));
        expect(found).toEqual(list);
      }),
    );
  });

  test('differ where a byte moved from one part to the next', () => {
    const [a, b, c] = [Buffer.from('a'), Buffer.from('b'), Buffer.from('ab')];
    const all = [[a, b], [c], [c, Buffer.alloc(0)], [Buffer.alloc(0), c], []].map((list) => lengthPrefixed(list));
    const digests = all.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
    expect(new Set(digests).size).toBe(all.length);
  });
});
