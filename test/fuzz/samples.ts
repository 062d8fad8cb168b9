import type { ItemBody, MediatorMessage, PeerMessage } from '../../src/protocol/messages.js';

/** One message of each kind, to begin from. */

const ID = '11'.repeat(16);
const PEER_ID = '22'.repeat(32);
const BYTES = Buffer.alloc(32, 0x33);
const ENDPOINT = { address: '192.0.2.1', port: 54_700 };

export const TRANSFER = 'ab'.repeat(16);

const candidates = [
  { type: 'host', transport: 'tcp', ...ENDPOINT, seenPorts: [] },
  { type: 'reflexive', transport: 'udp', address: '2001:db8::1', port: 1, seenPorts: [1, 2, 3] },
] as const;

export const ITEM_BODIES: ItemBody[] = [
  { kind: 'text', text: 'grüße 👋' },
  { kind: 'read', journalId: ID, sequences: [1, 2, 300] },
  {
    kind: 'manifestPart',
    transfer: TRANSFER,
    entries: [
      { path: 'a', directory: true, size: 0, mode: 0o755, mtimeMs: 1_700_000_000_000 },
      { path: 'a/b.txt', directory: false, size: 3, mode: 0o644, mtimeMs: -1 },
    ],
  },
  { kind: 'offer', transfer: TRANSFER, entries: 2, bytes: 3 },
  { kind: 'accept', transfer: TRANSFER },
  { kind: 'decline', transfer: TRANSFER, reason: 'no' },
  { kind: 'cancel', transfer: TRANSFER, reason: '' },
  { kind: 'done', transfer: TRANSFER },
  { kind: 'succession', statement: 'ab'.repeat(900) },
];

export const PEER_MESSAGES: PeerMessage[] = [
  { kind: 'proof', signature: Buffer.alloc(256, 7) },
  { kind: 'hello', version: 1, features: ['x'], runId: ID, journalId: ID, group: 'X25519', path: 'relay' },
  { kind: 'candidates', introductionId: ID, candidates: candidates.map((each) => ({ ...each, seenPorts: [1] })) },
  {
    kind: 'activate',
    epoch: 1,
    path: 'relay',
    why: 'better',
    held: { peerJournalId: ID, peerSequence: 3, journalId: ID, firstSequence: 1 },
  },
  { kind: 'activated', epoch: 1, held: { peerJournalId: '', peerSequence: 0, journalId: ID, firstSequence: 1 } },
  ...ITEM_BODIES.map((body, at) => ({ kind: 'item', sequence: at + 1, atMs: 1_700_000_000_000, body }) as const),
  { kind: 'ack', journalId: ID, sequence: 9 },
  { kind: 'want', transfer: TRANSFER, stream: 1, entry: 1, checkpoints: [{ length: 2, sha256: BYTES }] },
  { kind: 'resume', stream: 1, entry: 1, offset: 2 },
  { kind: 'fileEnd', stream: 1, entry: 1, size: 3, sha256: BYTES },
  { kind: 'skip', stream: 1, entry: 1 },
  { kind: 'consumed', stream: 1, bytes: 1024 },
  { kind: 'ping', nonce: 7 },
  { kind: 'pong', nonce: 7 },
  { kind: 'end', reason: 'quit' },
  { kind: 'pipeWant', offset: 5 },
  { kind: 'pipeEnd', length: 5 },
  { kind: 'pipeDone' },
  { kind: 'remember', token: BYTES, candidates: [] },
];

export const MEDIATOR_MESSAGES: MediatorMessage[] = [
  { kind: 'register', version: 1, peerId: PEER_ID, wantedId: PEER_ID },
  { kind: 'challenge', nonce: BYTES },
  { kind: 'response', signature: Buffer.alloc(256, 7) },
  { kind: 'admitted', reflexive: ENDPOINT, nowMs: 1_700_000_000_000, followsSuccessions: true },
  { kind: 'refused', reason: 'no' },
  { kind: 'waiting' },
  {
    kind: 'introduction',
    introductionId: ID,
    token: BYTES,
    reflexive: ENDPOINT,
    startInMs: 300,
    relayQuota: 262_144,
    probes: [ENDPOINT, { address: '', port: 54_701 }],
    probeKey: BYTES,
  },
  { kind: 'meet' },
  { kind: 'replaced' },
  { kind: 'goodbye', reason: 'stopping' },
  { kind: 'ping', nonce: 1 },
  { kind: 'pong', nonce: 1 },
  { kind: 'wantProbes' },
  { kind: 'probes', probes: [ENDPOINT], probeKey: BYTES },
  { kind: 'succession', statement: 'ab'.repeat(900) },
  { kind: 'succeeded', admitted: true },
];
