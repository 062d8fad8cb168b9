import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as constants from '../../src/protocol/constants.js';
import { encodeData } from '../../src/protocol/data-frames.js';
import { encodeFrame, FrameType } from '../../src/protocol/frames.js';
import { publicIdentity } from '../../src/protocol/identity.js';
import { prefaceOf } from '../../src/protocol/preface.js';
import { encodeProbe, encodeProbeReply } from '../../src/protocol/probe.js';
import { encodePunch, punchKey } from '../../src/protocol/punch.js';
import { verifyPss } from '../../src/protocol/signatures.js';
import {
  MEDIATOR_EXPORTER_LABEL,
  mediatorTranscript,
  PEER_EXPORTER_LABEL,
  peerTranscript,
  type Role,
  rotateTranscript,
} from '../../src/protocol/transcripts.js';
import { mediatorCodec, peerCodec } from '../../src/protocol/wire.js';

/** proto/README.md is all that another implementation has: what it promises is what this one does. */
const page = readFileSync(new URL('../../proto/README.md', import.meta.url), 'utf8');
const vectors = readVectors(page);

/** In blocks marked `vectors`: a name on a line of its own, and its bytes on the indented lines that follow. */
function readVectors(markdown: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const [, block = ''] of markdown.matchAll(/```vectors\n([\s\S]*?)```/g)) {
    for (const [, name = '', hex = ''] of block.matchAll(/^(\S+)\n((?: {2}[0-9a-f]+\n)+)/gm)) {
      found.set(name, Buffer.from(hex.replace(/\s/g, ''), 'hex'));
    }
  }
  return found;
}

const vector = (name: string): string => vectors.get(name)?.toString('hex') ?? `no vector called ${name}`;
const filled = (byte: number, length = 32) => Buffer.alloc(length, byte);
const idOf = (byte: number) => filled(byte).toString('hex');
const messageFrame = (payload: Buffer) => encodeFrame(FrameType.message, payload).toString('hex');
const testKey = () => publicIdentity(createPublicKey({ key: vectors.get('spki') ?? '', format: 'der', type: 'spki' }));
const testTranscript = () =>
  mediatorTranscript({
    peerId: testKey().id,
    wantedId: idOf(0x22),
    mediatorId: idOf(0x33),
    nonce: filled(0x44),
    exporter: filled(0x55),
  });

describe('the vectors on the page are what this program computes:', () => {
  const computed: Record<string, () => string> = {
    spki: () => testKey().spki.toString('hex'),
    'peer-id': () => testKey().id,
    'ping-frame': () => messageFrame(peerCodec.encode({ kind: 'ping', nonce: 7 })),
    'data-frame': () => encodeData(1, 2, 196608, Buffer.from('abc')).toString('hex'),
    'register-frame': () =>
      messageFrame(mediatorCodec.encode({ kind: 'register', version: 1, peerId: testKey().id, wantedId: idOf(0x22) })),
    'mediator-transcript': () => testTranscript().toString('hex'),
    'client-preface': () => prefaceOf(filled(0x66), 'client').toString('hex'),
    'server-preface': () => prefaceOf(filled(0x66), 'server').toString('hex'),
    'client-transcript': () => transcriptOf('client'),
    'server-transcript': () => transcriptOf('server'),
    'hello-frame': () =>
      messageFrame(
        peerCodec.encode({
          kind: 'hello',
          version: 1,
          features: [],
          runId: filled(0x77, 16).toString('hex'),
          journalId: filled(0x88, 16).toString('hex'),
          group: 'X25519',
          path: 'tcp-direct',
        }),
      ),
    'text-item-frame': () =>
      messageFrame(
        peerCodec.encode({ kind: 'item', sequence: 1, atMs: 1700000000000, body: { kind: 'text', text: 'hello' } }),
      ),
    'rotate-transcript': () =>
      rotateTranscript({ formerId: idOf(0x11), successorId: idOf(0x22), atMs: 1700000000000 }).toString('hex'),
    probe: () => encodeProbe(filled(0x99), { nonce: filled(0xaa, 8), cookie: null }).toString('hex'),
    'probe-reply': () =>
      encodeProbeReply(filled(0x99), {
        nonce: filled(0xaa, 8),
        cookie: filled(0xbb, 8),
        seen: { address: '192.0.2.1', port: 4660 },
        confirmed: true,
      }).toString('hex'),
    'punch-ping': () =>
      encodePunch(punchKey(filled(0x66), 'client'), { kind: 'ping', nonce: filled(0xcc, 8) }).toString('hex'),
  };

  test.each(Object.entries(computed))('%s', (name, compute) => {
    expect(compute()).toBe(vector(name));
  });

  test('and the signature holds, for its transcript alone', () => {
    const signature = vectors.get('signature') ?? Buffer.alloc(0);
    expect(verifyPss(testKey().key, testTranscript(), signature)).toBe(true);
    expect(verifyPss(testKey().key, testTranscript().subarray(1), signature)).toBe(false);
  });

  test('and there is none that nobody checks', () => {
    expect([...vectors.keys()].sort()).toEqual([...Object.keys(computed), 'signature'].sort());
  });
});

function transcriptOf(signer: Role): string {
  const connection = { clientId: idOf(0x11), serverId: idOf(0x22), exporter: filled(0x55) };
  return peerTranscript({ signer, ...connection }).toString('hex');
}

test.each([
  ['frame during a handshake', constants.MAX_FRAME_UNPROVEN],
  ['frame between peer and mediator', constants.MAX_FRAME_MEDIATOR],
  ['frame between peers', constants.MAX_FRAME_PEER],
  ['content of one data frame', constants.DATA_CHUNK_BYTES],
  ['text', constants.MAX_TEXT_BYTES],
  ['texts in one Read', constants.MAX_READ_SEQUENCES],
  ['candidates', constants.MAX_CANDIDATES],
  ['ports in one candidate’s seen_ports', constants.MAX_SEEN_PORTS],
  ['manifest part', constants.MANIFEST_PART_BYTES],
  ['manifest', constants.MAX_MANIFEST_BYTES],
  ['manifest entries', constants.MAX_MANIFEST_ENTRIES],
  ['path in a manifest', constants.MAX_PATH_BYTES],
  ['checkpoints in one Want', constants.MAX_CHECKPOINTS],
  ['statement of a succession', constants.MAX_SUCCESSION_BYTES],
  ['cost of a FileEnd in the window', constants.FILE_END_COST],
  ['relay quota that suffices for signalling', constants.RELAY_SIGNALLING_BYTES],
])('the limit of a %s on the page is the one kept', (what, limit) => {
  expect(page.replaceAll("'", '’')).toContain(`| ${what} | ${limit} |`);
});

test('the page names the exporter labels, and every message of both protocols', () => {
  expect(page).toContain(`\`${MEDIATOR_EXPORTER_LABEL}\``);
  expect(page).toContain(`\`${PEER_EXPORTER_LABEL}\``);
  for (const file of ['mediator.proto', 'peer.proto']) {
    const schema = readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8');
    const names = Array.from(schema.matchAll(/^message (\w+)/gm), ([, name = '']) => name);
    expect(names.length).toBeGreaterThan(10);
    const parts = ['Endpoint', 'Candidate', 'ManifestEntry'];
    expect(names.filter((name) => !parts.includes(name) && !page.includes(name))).toEqual([]);
  }
});
