import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_FRAME_PEER } from '../../src/protocol/constants.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import type { Held, Introduction, ItemBody, MediatorMessage, PeerMessage } from '../../src/protocol/messages.js';
import { type Codec, codecsOf, mediatorCodec, peerCodec } from '../../src/protocol/wire.js';
import { builtLoadType } from '../support/static-schema.js';

const built = codecsOf(await builtLoadType());

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.maxSafeNat();
const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
const hexOf = (length: number) => bytesOf(length).map((bytes) => bytes.toString('hex'));
const signature = fc.uint8Array({ maxLength: 1024 }).map((b) => Buffer.from(b));
const endpoint = fc.record({ address: text, port: u32 });
const held: fc.Arbitrary<Held> = fc.record({
  peerJournalId: fc.oneof(fc.constant(''), hexOf(16)),
  peerSequence: u64,
  journalId: hexOf(16),
  firstSequence: u64,
});

/** One generator for every kind: a kind without one does not compile. */
type OfEachKind<Message extends { kind: string }> = {
  [Kind in Message['kind']]: fc.Arbitrary<Omit<Extract<Message, { kind: Kind }>, 'kind'>>;
};

const mediatorMessages: OfEachKind<MediatorMessage> = {
  register: fc.record({ version: u32, peerId: hexOf(32), wantedId: hexOf(32) }),
  challenge: fc.record({ nonce: bytesOf(32) }),
  response: fc.record({ signature }),
  admitted: fc.record({ reflexive: endpoint, nowMs: u64, followsSuccessions: fc.boolean() }),
  refused: fc.record({ reason: text }),
  waiting: fc.constant({}),
  introduction: fc.record({
    introductionId: hexOf(16),
    token: bytesOf(32),
    reflexive: endpoint,
    startInMs: u32,
    relayQuota: u64,
    probes: fc.array(endpoint, { maxLength: 3 }),
    probeKey: bytesOf(32),
  }),
  meet: fc.constant({}),
  replaced: fc.constant({}),
  goodbye: fc.record({ reason: text }),
  ping: fc.record({ nonce: u32 }),
  pong: fc.record({ nonce: u32 }),
  wantProbes: fc.constant({}),
  probes: fc.record({ probes: fc.array(endpoint, { maxLength: 3 }), probeKey: bytesOf(32) }),
  succession: fc.record({ statement: fc.integer({ min: 0, max: 8192 }).map((length) => 'ab'.repeat(length)) }),
  succeeded: fc.record({ admitted: fc.boolean() }),
};

const itemBodies: OfEachKind<ItemBody> = {
  text: fc.record({ text, lifetimeMs: u64 }),
  disappear: fc.record({ lifetimeMs: u64, number: u64 }),
  disappearAnswer: fc.record({ number: u64, agreed: fc.boolean() }),
  read: fc.record({ journalId: hexOf(16), sequences: fc.array(u64, { maxLength: 10 }) }),
  manifestPart: fc.record({
    transfer: hexOf(16),
    entries: fc.array(
      fc.record({ path: text, directory: fc.boolean(), size: u64, mode: u32, mtimeMs: fc.maxSafeInteger() }),
      { maxLength: 5 },
    ),
  }),
  offer: fc.record({ transfer: hexOf(16), entries: u32, bytes: u64 }),
  accept: fc.record({ transfer: hexOf(16) }),
  decline: fc.record({ transfer: hexOf(16), reason: text }),
  cancel: fc.record({ transfer: hexOf(16), reason: text }),
  done: fc.record({ transfer: hexOf(16), skipped: u32 }),
  succession: fc.record({ statement: fc.integer({ min: 0, max: 8192 }).map((length) => 'ab'.repeat(length)) }),
};

const candidates = fc.array(
  fc.record({
    type: fc.constantFrom('host', 'reflexive', 'peer-reflexive', 'mapped'),
    transport: fc.constantFrom('tcp', 'udp'),
    address: text,
    port: u32,
    seenPorts: fc.array(u32, { maxLength: 20 }),
  }),
  { maxLength: 4 },
);

const peerMessages: OfEachKind<PeerMessage> = {
  proof: fc.record({ signature }),
  hello: fc.record({
    version: u32,
    features: fc.array(text, { maxLength: 4 }),
    runId: hexOf(16),
    journalId: hexOf(16),
    group: text,
    path: text,
  }),
  candidates: fc.record({
    introductionId: hexOf(16),
    candidates,
  }),
  activate: fc.record({ epoch: u64, path: text, why: text, held }),
  activated: fc.record({ epoch: u64, held }),
  item: fc.record({ sequence: u64, atMs: u64, body: fc.oneof(...ofAllKinds(itemBodies)) }),
  ack: fc.record({ journalId: hexOf(16), sequence: u64 }),
  want: fc.record({
    transfer: hexOf(16),
    stream: u32,
    entry: u32,
    checkpoints: fc.array(fc.record({ length: u64, sha256: bytesOf(32) }), { maxLength: 4 }),
  }),
  resume: fc.record({ stream: u32, entry: u32, offset: u64 }),
  fileEnd: fc.record({ stream: u32, entry: u32, size: u64, sha256: bytesOf(32) }),
  skip: fc.record({ stream: u32, entry: u32 }),
  consumed: fc.record({ stream: u32, bytes: u64 }),
  ping: fc.record({ nonce: u32 }),
  pong: fc.record({ nonce: u32 }),
  end: fc.record({ reason: text }),
  pipeWant: fc.record({ offset: u64 }),
  pipeEnd: fc.record({ length: u64 }),
  pipeDone: fc.constant({}),
  remember: fc.record({ token: bytesOf(32), candidates }),
};

function ofAllKinds<Message extends { kind: string }>(kinds: OfEachKind<Message>): fc.Arbitrary<Message>[] {
  const entries = Object.entries(kinds) as [string, fc.Arbitrary<object>][];
  return entries.map(([kind, fields]) => fields.map((each) => ({ kind, ...each }) as Message));
}

const mediatorMessage = fc.oneof(...ofAllKinds(mediatorMessages));
const peerMessage = fc.oneof(...ofAllKinds(peerMessages));

/** Decoding either gives a message that encodes and decodes to itself, or a ProtocolError. */
function expectMessageOrProtocolError<Message>(codec: Codec<Message>, payload: Buffer): void {
  let message: Message;
  try {
    message = codec.decode(payload);
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return;
  }
  expect(codec.decode(codec.encode(message))).toEqual(message);
}

const both = [
  ['mediator', ofAllKinds(mediatorMessages), mediatorCodec, built.mediatorCodec],
  ['peer', ofAllKinds(peerMessages), peerCodec, built.peerCodec],
] as [string, fc.Arbitrary<unknown>[], Codec<unknown>, Codec<unknown>][];

test.each(both)('of the %s protocol, what is built writes and reads as the schema does', (_, kinds, codec, other) => {
  const same = (message: unknown) => {
    const payload = codec.encode(message);
    expect(other.encode(message)).toEqual(payload);
    expect(other.decode(payload)).toEqual(message);
  };
  for (const kind of kinds) fc.assert(fc.property(kind, same), { numRuns: 40 });
});

const asRead = both.map(([name, kinds, codec]) => [name, kinds, codec] as const);
const asBuilt = both.map(([name, kinds, , codec]) => [`built ${name}`, kinds, codec] as const);

describe.each([...asRead, ...asBuilt])('the messages of the %s protocol', (_, kinds, codec) => {
  test('come back as they were sent', () => {
    for (const kind of kinds) {
      const unchanged = (message: unknown) => {
        expect(codec.decode(codec.encode(message))).toEqual(message);
      };
      fc.assert(fc.property(kind, unchanged), { numRuns: 40 });
    }
  });

  test('if cut short, altered or lengthened are still messages or refused', () => {
    const changes = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    const check = (message: unknown, cut: number, altered: [number, number][], more: Uint8Array) => {
      const payload = Buffer.concat([codec.encode(message), more]);
      for (const [at, value] of altered) payload[at % Math.max(1, payload.length)] = value;
      expectMessageOrProtocolError(codec, payload.subarray(0, payload.length - (cut % (payload.length + 1))));
    };
    const cut = fc.oneof(fc.constant(0), fc.nat(400));
    fc.assert(fc.property(fc.oneof(...kinds), cut, changes, fc.uint8Array({ maxLength: 8 }), check), { numRuns: 1000 });
  });

  test('made of random bytes are messages or refused', () => {
    const check = (bytes: Uint8Array) => expectMessageOrProtocolError(codec, Buffer.from(bytes));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), check), { numRuns: 1000 });
  });

  test('with nothing in them, or of a kind from the future, are refused', () => {
    expect(() => codec.decode(Buffer.alloc(0))).toThrow(ProtocolError);
    // Field 1000, an empty message.
    expect(() => codec.decode(Buffer.from('c23e00', 'hex'))).toThrow(ProtocolError);
  });

  test('nested deeper than any stack are refused', () => {
    for (const startOfGroup of [0x0b, 0xfb])
      expect(() => codec.decode(Buffer.alloc(MAX_FRAME_PEER, startOfGroup))).toThrow(ProtocolError);
  });
});

const id16 = 'ab'.repeat(16);
const id32 = 'cd'.repeat(32);
const someHeld: Held = { peerJournalId: id16, peerSequence: 1, journalId: id16, firstSequence: 2 };
const item = (body: ItemBody): PeerMessage => ({ kind: 'item', sequence: 1, atMs: 2, body });
const introduction: Omit<Introduction, 'introductionId' | 'token'> = {
  kind: 'introduction',
  startInMs: 1,
  relayQuota: 1,
  probes: [],
  probeKey: Buffer.alloc(32, 1),
  reflexive: { address: '::1', port: 1 },
};

/** Name, exact length, and a message that has `bytes` in that place. */
type WithBytes<Message> = [string, number, (bytes: Buffer) => Message];

const exactInMediator: WithBytes<MediatorMessage>[] = [
  ['register.peer_id', 32, (b) => ({ kind: 'register', version: 1, peerId: b.toString('hex'), wantedId: id32 })],
  ['register.wanted_id', 32, (b) => ({ kind: 'register', version: 1, peerId: id32, wantedId: b.toString('hex') })],
  ['challenge.nonce', 32, (nonce) => ({ kind: 'challenge', nonce })],
  [
    'introduction.introduction_id',
    16,
    (b) => ({ ...introduction, introductionId: b.toString('hex'), token: Buffer.alloc(32) }),
  ],
  ['probes.probe_key', 32, (probeKey) => ({ kind: 'probes', probes: [], probeKey })],
  ['introduction.token', 32, (token) => ({ ...introduction, introductionId: id16, token })],
  [
    'introduction.probe_key',
    32,
    (probeKey) => ({ ...introduction, introductionId: id16, token: Buffer.alloc(32), probeKey }),
  ],
];

const hello = { kind: 'hello' as const, version: 1, features: [], group: '', path: '' };
const exactInPeer: WithBytes<PeerMessage>[] = [
  ['hello.run_id', 16, (b) => ({ ...hello, runId: b.toString('hex'), journalId: id16 })],
  ['hello.journal_id', 16, (b) => ({ ...hello, runId: id16, journalId: b.toString('hex') })],
  [
    'candidates.introduction_id',
    16,
    (b) => ({ kind: 'candidates', introductionId: b.toString('hex'), candidates: [] }),
  ],
  [
    'held.peer_journal_id',
    16,
    (b) => ({ kind: 'activated', epoch: 1, held: { ...someHeld, peerJournalId: b.toString('hex') } }),
  ],
  [
    'held.journal_id',
    16,
    (b) => ({ kind: 'activated', epoch: 1, held: { ...someHeld, journalId: b.toString('hex') } }),
  ],
  ['read.journal_id', 16, (b) => item({ kind: 'read', journalId: b.toString('hex'), sequences: [] })],
  ['manifest_part.transfer', 16, (b) => item({ kind: 'manifestPart', transfer: b.toString('hex'), entries: [] })],
  ['offer.transfer', 16, (b) => item({ kind: 'offer', transfer: b.toString('hex'), entries: 1, bytes: 1 })],
  ['accept.transfer', 16, (b) => item({ kind: 'accept', transfer: b.toString('hex') })],
  ['decline.transfer', 16, (b) => item({ kind: 'decline', transfer: b.toString('hex'), reason: '' })],
  ['cancel.transfer', 16, (b) => item({ kind: 'cancel', transfer: b.toString('hex'), reason: '' })],
  ['done.transfer', 16, (b) => item({ kind: 'done', transfer: b.toString('hex') })],
  ['ack.journal_id', 16, (b) => ({ kind: 'ack', journalId: b.toString('hex'), sequence: 1 })],
  ['want.transfer', 16, (b) => ({ kind: 'want', transfer: b.toString('hex'), stream: 1, entry: 1, checkpoints: [] })],
  [
    'checkpoint.sha256',
    32,
    (sha256) => ({ kind: 'want', transfer: id16, stream: 1, entry: 1, checkpoints: [{ length: 1, sha256 }] }),
  ],
  ['remember.token', 32, (token) => ({ kind: 'remember', token, candidates: [] })],
  ['file_end.sha256', 32, (sha256) => ({ kind: 'fileEnd', stream: 1, entry: 1, size: 1, sha256 })],
];

describe('a field of exact length', () => {
  test.each([
    ...exactInMediator.map(([name, length, make]) => [name, length, mediatorCodec as Codec<unknown>, make] as const),
    ...exactInPeer.map(([name, length, make]) => [name, length, peerCodec as Codec<unknown>, make] as const),
  ])('%s is refused if shorter or longer than %i bytes', (name, length, codec, make) => {
    const decodes = (bytes: number) => codec.decode(codec.encode(make(Buffer.alloc(bytes, 1))));
    expect(() => decodes(length)).not.toThrow();
    for (const other of [1, length - 1, length + 1, 2 * length]) expect(() => decodes(other)).toThrow(ProtocolError);
    if (name === 'held.peer_journal_id') expect(() => decodes(0)).not.toThrow();
    else expect(() => decodes(0)).toThrow(ProtocolError);
  });

  test.each([mediatorCodec as Codec<unknown>, peerCodec as Codec<unknown>])('a signature has at most 1024', (codec) => {
    const kind = codec === mediatorCodec ? 'response' : 'proof';
    const decodes = (bytes: number) => codec.decode(codec.encode({ kind, signature: Buffer.alloc(bytes) }));
    expect(() => decodes(1024)).not.toThrow();
    expect(() => decodes(1025)).toThrow(ProtocolError);
  });
});

describe('a 64-bit number', () => {
  const mediator = mediatorCodec as Codec<unknown>;
  const peer = peerCodec as Codec<unknown>;
  const places: [string, Codec<unknown>, (n: number) => unknown][] = [
    [
      'introduction.relay_quota',
      mediator,
      (n) => ({ ...introduction, introductionId: id16, token: Buffer.alloc(32), relayQuota: n }),
    ],
    [
      'admitted.now_ms',
      mediator,
      (n) => ({ kind: 'admitted', reflexive: introduction.reflexive, nowMs: n, followsSuccessions: false }),
    ],
    ['activate.epoch', peer, (n) => ({ kind: 'activate', epoch: n, path: '', why: '', held: someHeld })],
    ['held.peer_sequence', peer, (n) => ({ kind: 'activated', epoch: 1, held: { ...someHeld, peerSequence: n } })],
    ['held.first_sequence', peer, (n) => ({ kind: 'activated', epoch: 1, held: { ...someHeld, firstSequence: n } })],
    ['item.sequence', peer, (n) => ({ kind: 'item', sequence: n, atMs: 1, body: { kind: 'text', text: '' } })],
    ['item.at_ms', peer, (n) => ({ kind: 'item', sequence: 1, atMs: n, body: { kind: 'text', text: '' } })],
    ['read.sequences', peer, (n) => item({ kind: 'read', journalId: id16, sequences: [1, n] })],
    [
      'manifest_entry.size',
      peer,
      (n) =>
        item({
          kind: 'manifestPart',
          transfer: id16,
          entries: [{ path: '', directory: false, size: n, mode: 0, mtimeMs: 0 }],
        }),
    ],
    [
      'manifest_entry.mtime_ms',
      peer,
      (n) =>
        item({
          kind: 'manifestPart',
          transfer: id16,
          entries: [{ path: '', directory: false, size: 0, mode: 0, mtimeMs: n }],
        }),
    ],
    ['offer.bytes', peer, (n) => item({ kind: 'offer', transfer: id16, entries: 1, bytes: n })],
    ['ack.sequence', peer, (n) => ({ kind: 'ack', journalId: id16, sequence: n })],
    [
      'checkpoint.length',
      peer,
      (n) => ({
        kind: 'want',
        transfer: id16,
        stream: 1,
        entry: 1,
        checkpoints: [{ length: n, sha256: Buffer.alloc(32) }],
      }),
    ],
    ['resume.offset', peer, (n) => ({ kind: 'resume', stream: 1, entry: 1, offset: n })],
    ['file_end.size', peer, (n) => ({ kind: 'fileEnd', stream: 1, entry: 1, size: n, sha256: Buffer.alloc(32) })],
    ['pipe_want.offset', peer, (n) => ({ kind: 'pipeWant', offset: n })],
    ['pipe_end.length', peer, (n) => ({ kind: 'pipeEnd', length: n })],
    ['consumed.bytes', peer, (n) => ({ kind: 'consumed', stream: 1, bytes: n })],
  ];

  test.each(places)('%s is refused from 2^53 on', (_, codec, make) => {
    const decodes = (n: number) => codec.decode(codec.encode(make(n)));
    expect(() => decodes(Number.MAX_SAFE_INTEGER)).not.toThrow();
    for (const n of [2 ** 53, 2 ** 62]) expect(() => decodes(n)).toThrow(ProtocolError);
  });

  test('of 2^53 + 1 and of 2^64 - 1 is not rounded down to a safe one', () => {
    for (const varint of ['8180808080808010', 'ffffffffffffffffff01']) {
      const consumed = Buffer.from(`0801${'10'}${varint}`, 'hex');
      const payload = Buffer.concat([Buffer.of(0x5a, consumed.length), consumed]);
      expect(() => peerCodec.decode(payload)).toThrow(/beyond 2\^53/);
    }
  });
});

describe('a message without its inner part is refused:', () => {
  test.each([
    ['item without a body', '32040801 1002', peerCodec],
    ['activate without held', '22020801', peerCodec],
    ['activated without held', '2a020801', peerCodec],
    ['admitted without an endpoint', '2200', mediatorCodec],
    ['introduction without an endpoint', `3a34 0a10${id16} 1220${id32}`, mediatorCodec],
  ])('%s', (_, hex, codec) => {
    expect(() => codec.decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toThrow(/missing|not known/);
  });
});

test('a decoded message keeps nothing of the buffer it came in', () => {
  const payload = mediatorCodec.encode({ kind: 'challenge', nonce: Buffer.alloc(32, 7) });
  const message = mediatorCodec.decode(payload);
  payload.fill(0);
  expect(message).toEqual({ kind: 'challenge', nonce: Buffer.alloc(32, 7) });
});

test('a message of a kind that does not exist cannot be encoded', () => {
  expect(() => mediatorCodec.encode({ kind: 'proof' } as never)).toThrow(RangeError);
});

test('one protocol’s messages read as the other’s are messages or refused', () => {
  fc.assert(
    fc.property(mediatorMessage, (message) => expectMessageOrProtocolError(peerCodec, mediatorCodec.encode(message))),
  );
  fc.assert(
    fc.property(peerMessage, (message) => expectMessageOrProtocolError(mediatorCodec, peerCodec.encode(message))),
  );
});
