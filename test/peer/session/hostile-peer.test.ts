import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SendWindow } from '../../../src/peer/session/transfers/send-window.js';
import { FILE_END_COST, MAX_READ_SEQUENCES, MAX_TEXT_BYTES } from '../../../src/protocol/constants.js';
import type { ItemBody, ManifestEntry, PeerMessage } from '../../../src/protocol/messages.js';
import { fileEntry, HandDrivenPeer, newTransferId } from './hand-driven-peer.js';
import { PAIR, Person } from './two-sessions.js';

const ID = 'ab'.repeat(16);
const SHA = Buffer.alloc(32, 1);

let client: Person;
let server: Person;
beforeEach(() => {
  client = new Person(PAIR.small, PAIR.great);
  server = new Person(PAIR.great, PAIR.small);
});
afterEach(() => Promise.all([client.stop(), server.stop()]));

function sha256(content: Buffer): Buffer {
  return createHash('sha256').update(content).digest();
}

/** The session goes on: what is said now still arrives, both ways. */
async function goesOn(victim: Person, peer: HandDrivenPeer): Promise<void> {
  const text = `still there? ${victim.events.length}`;
  peer.items({ kind: 'text', text });
  await victim.event('message', (message) => message.text === text);
  victim.session.message('yes');
  await peer.next('item', ({ body }) => body.kind === 'text' && body.text === 'yes');
  expect(peer.isEnded).toBe(false);
}

/** The link ends, and the session is ready for the next one. */
async function linkEnds(victim: Person, peer: HandDrivenPeer): Promise<void> {
  await peer.ended;
  await victim.event('disconnected');
  const honest = await HandDrivenPeer.connect(victim);
  await goesOn(victim, honest);
}

describe('a message that ends the link, and the link alone', () => {
  const always: [string, PeerMessage][] = [
    ['a second proof', { kind: 'proof', signature: Buffer.alloc(256) }],
    ['a second hello', { kind: 'hello', version: 1, features: [], runId: ID, journalId: ID, group: '', path: '' }],
    ['an item beyond a gap', { kind: 'item', sequence: 2, atMs: 0, body: { kind: 'text', text: 'gap' } }],
    [
      'a text that is too long',
      { kind: 'item', sequence: 1, atMs: 0, body: { kind: 'text', text: 'x'.repeat(MAX_TEXT_BYTES + 1) } },
    ],
    [
      'a receipt for too many texts',
      {
        kind: 'item',
        sequence: 1,
        atMs: 0,
        body: { kind: 'read', journalId: ID, sequences: Array.from({ length: MAX_READ_SEQUENCES + 1 }, (_, at) => at) },
      },
    ],
  ];

  it.each(always)('%s', async (_, message) => {
    const peer = await HandDrivenPeer.connect(server);
    peer.send(message);
    await linkEnds(server, peer);
    expect(server.all('message').filter(({ text }) => text !== 'yes' && !text.startsWith('still'))).toEqual([]);
  });

  it('an activation by the TLS server', async () => {
    const peer = await HandDrivenPeer.connect(client);
    peer.send({ kind: 'activate', epoch: 9, path: '', why: '', held: peer.held() });
    await linkEnds(client, peer);
  });

  it('a confirmation by the TLS client', async () => {
    const peer = await HandDrivenPeer.connect(server);
    peer.send({ kind: 'activated', epoch: 1, held: peer.held() });
    await linkEnds(server, peer);
  });

  it.each(['client', 'server'] as const)('our own journal claimed as the peer’s, told to the %s', async (role) => {
    const victim = role === 'client' ? client : server;
    const peer = await HandDrivenPeer.link(victim);
    const held = peer.held({ journalId: victim.journal.id });
    if (role === 'client') peer.send({ kind: 'activated', epoch: (await peer.next('activate')).epoch, held });
    else peer.send({ kind: 'activate', epoch: 1, path: '', why: '', held });
    await peer.ended;
    expect(victim.all('connected')).toEqual([]);
    await goesOn(victim, await HandDrivenPeer.connect(victim));
  });

  it('an acknowledgement of what was never sent', async () => {
    const peer = await HandDrivenPeer.connect(server);
    server.session.message('one');
    await peer.nextItem('text');
    peer.send({ kind: 'ack', journalId: server.journal.id, sequence: 2 });
    await peer.ended;
    expect(server.all('delivered')).toEqual([]);
    expect(server.journal.outboxSize()).toBe(1);
  });
});

describe('a message that means nothing, and changes nothing', () => {
  const ignored: [string, PeerMessage][] = [
    ['an acknowledgement of a journal that is not ours', { kind: 'ack', journalId: ID, sequence: 9 }],
    ['a want of an unknown transfer', { kind: 'want', transfer: ID, stream: 1, entry: 0, checkpoints: [] }],
    ['a resume of an unknown stream', { kind: 'resume', stream: 7, entry: 0, offset: 0 }],
    ['the end of a file of an unknown stream', { kind: 'fileEnd', stream: 7, entry: 0, size: 1, sha256: SHA }],
    ['something consumed of an unknown stream', { kind: 'consumed', stream: 7, bytes: 1e12 }],
    ['candidates of another introduction', { kind: 'candidates', introductionId: ID, candidates: [] }],
    ['a pong to no ping', { kind: 'pong', nonce: 77 }],
  ];

  it.each(ignored)('%s', async (_, message) => {
    const peer = await HandDrivenPeer.connect(server);
    peer.send(message);
    await goesOn(server, peer);
  });

  const items: [string, ItemBody][] = [
    ['an acceptance of what was not offered', { kind: 'accept', transfer: ID }],
    ['a refusal of what was not offered', { kind: 'decline', transfer: ID, reason: 'no' }],
    ['the end of what was not offered', { kind: 'done', transfer: ID }],
    ['a cancelled transfer that never was', { kind: 'cancel', transfer: ID, reason: '' }],
    ['a receipt for texts that never were', { kind: 'read', journalId: ID, sequences: [1, 2, 3] }],
  ];

  it.each(items)('%s', async (_, body) => {
    const peer = await HandDrivenPeer.connect(server);
    peer.items(body);
    await goesOn(server, peer);
    expect(server.events.map(({ event }) => event)).toEqual(['connected', 'message', 'message']);
  });

  it('data of a stream that nobody asked for', async () => {
    const peer = await HandDrivenPeer.connect(server);
    for (let stream = 0; stream < 100; stream++) peer.link.sendData(stream, 0, 0, Buffer.alloc(1000));
    await goesOn(server, peer);
  });

  it('items, data and wants over a link that is not the session’s', async () => {
    const peer = await HandDrivenPeer.link(server);
    peer.items({ kind: 'text', text: 'too early' });
    peer.link.sendData(1, 0, 0, Buffer.alloc(1000));
    peer.send({ kind: 'want', transfer: ID, stream: 1, entry: 0, checkpoints: [] });
    peer.send({ kind: 'ack', journalId: ID, sequence: 1 });
    await peer.settled();
    expect(server.events).toEqual([]);
    expect(peer.isEnded).toBe(false);
  });

  it('an activation with an epoch that was there before', async () => {
    const peer = await HandDrivenPeer.connect(server);
    peer.send({ kind: 'activate', epoch: 1, path: '', why: '', held: peer.held({ firstSequence: 100 }) });
    await goesOn(server, peer);
    expect(server.all('path')).toEqual([]);
  });
});

describe('offers that no honest peer makes', () => {
  const hostile: [string, ManifestEntry[]][] = [
    ['out of the folder', [fileEntry('../escaped')]],
    ['from the root', [fileEntry('/etc/passwd')]],
    ['out of the folder, in the middle', [fileEntry('a', { directory: true, size: 0 }), fileEntry('a/../../b')]],
    ['an empty name', [fileEntry('')]],
    ['a NUL', [fileEntry('a\0b')]],
    ['one name twice', [fileEntry('a'), fileEntry('a')]],
    ['a file in a file', [fileEntry('a'), fileEntry('a/b')]],
    ['a file in a folder that is not there', [fileEntry('a/b')]],
    ['a folder with a size', [fileEntry('a', { directory: true, size: 1 })]],
    ['more bytes than numbers go', [fileEntry('a', { size: 2 ** 53 - 1 }), fileEntry('b', { size: 2 ** 53 - 1 })]],
    ['a path that is too long', [fileEntry('x'.repeat(5000))]],
    ['nothing', []],
  ];

  it.each(hostile)('%s: declined without asking, and the session goes on', async (_, entries) => {
    const peer = await HandDrivenPeer.connect(server);
    const transfer = newTransferId();
    const bytes = Math.min(
      entries.reduce((sum, { size }) => sum + size, 0),
      Number.MAX_SAFE_INTEGER,
    );
    peer.offer(transfer, entries, { bytes });
    expect((await peer.nextItem('decline')).transfer).toBe(transfer);
    expect(server.all('offer')).toEqual([]);
    await server.event('error', (error) => error.transfer === transfer);
    expect(server.session.status('waiting').transfers).toEqual([]);
    await goesOn(server, peer);
  });

  it('one whose sizes do not add up, or whose list is not whole: declined', async () => {
    const peer = await HandDrivenPeer.connect(server);
    const [one, other] = [newTransferId(), newTransferId()];
    peer.offer(one, [fileEntry('a')], { bytes: 11 });
    peer.offer(other, [fileEntry('a')], { entries: 2 });
    await peer.next('item', ({ body }) => body.kind === 'decline' && body.transfer === one);
    await peer.next('item', ({ body }) => body.kind === 'decline' && body.transfer === other);
    await goesOn(server, peer);
  });

  it('more than anyone can answer: declined from the hundred and first on', async () => {
    const peer = await HandDrivenPeer.connect(server);
    for (let count = 0; count < 101; count++) peer.offer(newTransferId(), [fileEntry(`file ${count}`)]);
    await peer.nextItem('decline');
    expect(server.all('offer')).toHaveLength(100);
    await goesOn(server, peer);
  });

  it('lists of files that never become an offer: no more than one is kept', async () => {
    const peer = await HandDrivenPeer.connect(server);
    for (let count = 0; count < 50; count++) {
      peer.items({ kind: 'manifestPart', transfer: newTransferId(), entries: [fileEntry('a')] });
    }
    await goesOn(server, peer);
    expect(server.journal.transfers.unfinished()).toHaveLength(1);
  });

  it('the same one again: it stays as it was', async () => {
    const peer = await HandDrivenPeer.connect(server);
    const transfer = newTransferId();
    peer.offer(transfer, [fileEntry('a')]);
    peer.offer(transfer, [fileEntry('b'), fileEntry('c')]);
    await goesOn(server, peer);
    expect(server.all('offer')).toHaveLength(1);
    expect(server.journal.transfers.manifest(transfer)).toEqual([fileEntry('a')]);
  });

  it('a name full of escape sequences is passed on as it is, for the faces to make harmless', async () => {
    const peer = await HandDrivenPeer.connect(server);
    peer.offer(newTransferId(), [fileEntry('\u001b[2Jgone')]);
    expect((await server.event('offer')).files).toEqual([{ name: '\u001b[2Jgone', size: 10 }]);
  });
});

describe('a receiver that asks for the impossible', () => {
  let peer: HandDrivenPeer;
  let transfer: string;
  beforeEach(async () => {
    peer = await HandDrivenPeer.connect(server);
    const source = join(server.folder, 'source');
    writeFileSync(source, Buffer.alloc(100_000, 'a'));
    transfer = await server.session.send([source]);
    await peer.nextItem('offer');
  });

  it('before it has accepted: a want is an acceptance', async () => {
    peer.send({ kind: 'want', transfer, stream: 1, entry: 0, checkpoints: [] });
    expect(await peer.next('resume')).toMatchObject({ stream: 1, entry: 0, offset: 0 });
    await server.event('accepted');
    peer.items({ kind: 'accept', transfer });
    await goesOn(server, peer);
    expect(server.all('accepted')).toHaveLength(1);
  });

  const impossible: [string, Partial<Extract<PeerMessage, { kind: 'want' }>>][] = [
    ['a file that is not there', { entry: 2 }],
    ['more than the file has', { checkpoints: [{ length: 100_001, sha256: SHA }] }],
    ['nothing of it', { checkpoints: [{ length: 0, sha256: SHA }] }],
    ['what does not rise', { checkpoints: [10, 10].map((length) => ({ length, sha256: SHA })) }],
    [
      'more checkpoints than are allowed',
      { checkpoints: Array.from({ length: 4097 }, (_, at) => ({ length: at + 1, sha256: SHA })) },
    ],
  ];

  it.each(impossible)('%s: the link ends', async (_, more) => {
    peer.items({ kind: 'accept', transfer });
    peer.send({ kind: 'want', transfer, stream: 1, entry: 0, checkpoints: [], ...more });
    await linkEnds(server, peer);
  });

  it('one stream for two transfers: the link ends', async () => {
    const other = await server.session.send([join(server.folder, 'source')]);
    peer.items({ kind: 'accept', transfer }, { kind: 'accept', transfer: other });
    peer.send({ kind: 'want', transfer, stream: 1, entry: 0, checkpoints: [] });
    peer.send({ kind: 'want', transfer: other, stream: 1, entry: 0, checkpoints: [] });
    await linkEnds(server, peer);
  });

  it('more consumed than was sent: the link ends', async () => {
    peer.items({ kind: 'accept', transfer });
    peer.send({ kind: 'want', transfer, stream: 1, entry: 0, checkpoints: [] });
    await peer.next('resume');
    peer.send({ kind: 'consumed', stream: 1, bytes: 1e9 });
    await linkEnds(server, peer);
  });

  it('the same file a thousand times: it is sent anew each time, and the last one is answered', async () => {
    peer.items({ kind: 'accept', transfer });
    for (let stream = 1; stream <= 1000; stream++) {
      peer.send({ kind: 'want', transfer, stream, entry: 0, checkpoints: [] });
    }
    const { size, sha256: digest } = await peer.next('fileEnd', ({ stream }) => stream === 1000);
    expect([size, digest]).toEqual([100_000, sha256(Buffer.alloc(100_000, 'a'))]);
    await goesOn(server, peer);
  });

  it('checkpoints of another content: it is sent from the beginning', async () => {
    peer.items({ kind: 'accept', transfer });
    peer.send({ kind: 'want', transfer, stream: 1, entry: 0, checkpoints: [{ length: 100_000, sha256: SHA }] });
    expect(await peer.next('resume')).toMatchObject({ offset: 0 });
  });
});

describe('a sender that does not keep to its offer', () => {
  let peer: HandDrivenPeer;
  let transfer: string;
  let stream: number;
  beforeEach(async () => {
    peer = await HandDrivenPeer.connect(server);
    transfer = newTransferId();
    peer.offer(transfer, [fileEntry('ten'), fileEntry('more')]);
    await server.event('offer');
    await server.session.accept(transfer);
    ({ stream } = await peer.next('want'));
  });

  const breaches: [string, (peer: HandDrivenPeer, stream: number) => void][] = [
    ['data before a resume', (by, stream) => by.link.sendData(stream, 0, 0, Buffer.alloc(10))],
    ['a resume from where nothing is', (by, stream) => by.send({ kind: 'resume', stream, entry: 0, offset: 5 })],
    ['a resume of another file', (by, stream) => by.send({ kind: 'resume', stream, entry: 1, offset: 0 })],
    [
      'two resumes',
      (by, stream) => {
        by.send({ kind: 'resume', stream, entry: 0, offset: 0 });
        by.send({ kind: 'resume', stream, entry: 0, offset: 0 });
      },
    ],
    [
      'more than the file has',
      (by, stream) => {
        by.send({ kind: 'resume', stream, entry: 0, offset: 0 });
        by.link.sendData(stream, 0, 0, Buffer.alloc(11));
      },
    ],
    [
      'a hole',
      (by, stream) => {
        by.send({ kind: 'resume', stream, entry: 0, offset: 0 });
        by.link.sendData(stream, 0, 5, Buffer.alloc(5));
      },
    ],
    [
      'another file in between',
      (by, stream) => {
        by.send({ kind: 'resume', stream, entry: 0, offset: 0 });
        by.link.sendData(stream, 1, 0, Buffer.alloc(10));
      },
    ],
    [
      'an end before the end',
      (by, stream) => {
        by.send({ kind: 'resume', stream, entry: 0, offset: 0 });
        by.send({ kind: 'fileEnd', stream, entry: 0, size: 10, sha256: SHA });
      },
    ],
  ];

  it.each(breaches)('%s: the link ends, and nothing is in place', async (_, breach) => {
    breach(peer, stream);
    await linkEnds(server, peer);
    expect(readdirSync(server.into).filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  it('another content than it says, again and again: wanted anew three times, then the person is told', async () => {
    const seen = new Set<number>();
    for (let count = 0; count < 3; count++) {
      const want = await peer.next('want', (each) => !seen.has(each.stream));
      seen.add(want.stream);
      expect(want).toMatchObject({ entry: 0, checkpoints: [] });
      peer.send({ kind: 'resume', stream: want.stream, entry: 0, offset: 0 });
      peer.link.sendData(want.stream, 0, 0, Buffer.alloc(10));
      peer.send({ kind: 'fileEnd', stream: want.stream, entry: 0, size: 10, sha256: SHA });
    }
    await server.event('error', (error) => error.transfer === transfer);
    expect(readdirSync(server.into)).toEqual([]);
    await goesOn(server, peer);
  });
});

describe('floods', () => {
  it('of the smallest pieces are taken in to the last, though the link has to wait for the disk in between', async () => {
    const peer = await HandDrivenPeer.connect(server);
    const transfer = newTransferId();
    const content = Buffer.alloc(60_000, 'piece by piece ');
    peer.offer(transfer, [fileEntry('slow', { size: content.length })]);
    await server.event('offer');
    await server.session.accept(transfer);
    const { stream } = await peer.next('want');
    peer.send({ kind: 'resume', stream, entry: 0, offset: 0 });
    for (let at = 0; at < content.length; at++) peer.link.sendData(stream, 0, at, content.subarray(at, at + 1));
    peer.send({ kind: 'fileEnd', stream, entry: 0, size: content.length, sha256: sha256(content) });
    await peer.nextItem('done');
    expect(readFileSync(join(server.into, 'slow'))).toEqual(content);
    await goesOn(server, peer);
  });

  it('are not what we make of many empty files: their ends wait until others were taken in', async () => {
    const peer = await HandDrivenPeer.connect(server);
    const folder = join(server.folder, 'many');
    mkdirSync(folder);
    for (let at = 0; at < 300; at++) writeFileSync(join(folder, String(at)), '');
    const transfer = await server.session.send([folder]);
    await peer.nextItem('offer');
    peer.items({ kind: 'accept', transfer });
    peer.send({ kind: 'want', transfer, stream: 1, entry: 0, checkpoints: [] });
    // Of an empty file there is nothing but its digest.
    const ends = () => peer.dataBytes / 32;
    const window = new SendWindow(() => 0).size / FILE_END_COST;
    await expect.poll(ends).toBeGreaterThanOrEqual(window);
    await peer.settled();
    const before = ends();
    expect(before).toBeLessThan(window + 70);
    peer.send({ kind: 'consumed', stream: 1, bytes: before * FILE_END_COST });
    await expect.poll(ends).toBeGreaterThanOrEqual(before + window);
  });

  it('of texts are all written down, acknowledged and told, in order', async () => {
    const peer = await HandDrivenPeer.connect(server);
    const texts = Array.from({ length: 300 }, (_, at) => `flood ${at}`);
    peer.items(...texts.map((text): ItemBody => ({ kind: 'text', text })));
    await peer.next('ack', ({ sequence }) => sequence === 300);
    expect(server.heard()).toEqual(texts);
  });

  it('of items told twice change nothing', async () => {
    const peer = await HandDrivenPeer.connect(server);
    for (let times = 0; times < 200; times++) {
      peer.send({ kind: 'item', sequence: 1, atMs: 0, body: { kind: 'text', text: 'once' } });
    }
    await peer.settled();
    expect(server.heard()).toEqual(['once']);
    expect(server.all('message')).toHaveLength(1);
  });

  it('a date that no calendar has becomes the last that one has', async () => {
    const peer = await HandDrivenPeer.connect(server);
    peer.send({ kind: 'item', sequence: 1, atMs: 2 ** 53 - 1, body: { kind: 'text', text: 'from far' } });
    expect((await server.event('message')).at).toBe('9999-12-31T23:59:59.999Z');
  });
});

it('a name that the disk refuses is no reason to end anything', async () => {
  const peer = await HandDrivenPeer.connect(server);
  mkdirSync(join(server.into, 'taken'));
  const transfer = newTransferId();
  peer.offer(transfer, [fileEntry('taken', { size: 0 })]);
  await server.event('offer');
  await server.session.accept(transfer);
  const { stream } = await peer.next('want');
  const empty = Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex');
  peer.send({ kind: 'resume', stream, entry: 0, offset: 0 });
  peer.send({ kind: 'fileEnd', stream, entry: 0, size: 0, sha256: empty });
  await peer.nextItem('done');
  expect(readdirSync(server.into).sort()).toEqual(['taken', 'taken (1)']);
});
