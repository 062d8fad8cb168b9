import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { join as pathOf } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { MAX_FRAME_PEER, MAX_FRAME_UNPROVEN, MAX_TEXT_BYTES } from '../../src/protocol/constants.js';
import { encodeFrame, FrameType, writeFrameHeader } from '../../src/protocol/frames.js';
import type { Candidate, Held, ItemBody, ManifestEntry, PeerMessage } from '../../src/protocol/messages.js';
import { peerCodec } from '../../src/protocol/wire.js';
import { HostilePeer, HostileStage } from '../support/hostile-peer.js';
import { type RunningProgram, start, stopAll } from '../support/program.js';

/** The real program, met by someone who has the right key and means ill. Whatever is said, the program goes on. */

const ID = 'ab'.repeat(16);
/** Far above what the program needs, and far below what the floods here would fill. */
const MAX_RESIDENT_MIB = 512;
/** On a machine that does other things meanwhile; what these tests guard against takes minutes or has no end. */
const PROMPT_MS = 8_000;

let stage: HostileStage;
let victim: RunningProgram;
const peers: HostilePeer[] = [];

function stageWith(role: HostileStage['role'], ...options: string[]): void {
  beforeAll(async () => {
    stage = new HostileStage(role);
    await stage.pair.startMediator();
    victim = await stage.startVictim(...options);
  });
  afterAll(async () => {
    await stopAll();
    stage.pair.remove();
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.close();
  });
}

async function secure(): Promise<HostilePeer> {
  return keep(await HostilePeer.secure(stage));
}

async function join(held: Partial<Held> = {}): Promise<HostilePeer> {
  return keep(await HostilePeer.join(stage, held));
}

function keep(peer: HostilePeer): HostilePeer {
  peers.push(peer);
  return peer;
}

/** The same process can still be met and talked to. */
async function goesOn(): Promise<void> {
  for (const peer of peers.splice(0)) peer.close();
  const peer = await join();
  const text = `still there? ${victim.events.length}`;
  peer.send(...peer.items({ kind: 'text', text }));
  await victim.next((event) => event.event === 'message' && event.text === text);
  victim.send({ command: 'message', text: `yes: ${text}` });
  await peer.next('item', ({ body }) => body.kind === 'text' && body.text === `yes: ${text}`);
  expect(victim.stderr).not.toContain('mistake in the program');
}

/** How long the program takes to answer its own user. */
async function answerMs(): Promise<number> {
  const askedAt = performance.now();
  victim.send({ command: 'status' });
  await victim.next('status', 30_000);
  return performance.now() - askedAt;
}

function residentMiB(): number {
  if (process.platform !== 'linux') return 0;
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${victim.pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

function openFiles(): number {
  return process.platform === 'linux' ? readdirSync(`/proc/${victim.pid}/fd`).length : 0;
}

function frame(message: PeerMessage): Buffer {
  return encodeFrame(FrameType.message, peerCodec.encode(message));
}

/** A frame's header that promises more or something else than what follows. */
function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  writeFrameHeader(bytes, type as FrameType, length);
  return bytes;
}

function eventsSince(at: number, name: string): unknown[] {
  return victim.events.slice(at).filter(({ event }) => event === name);
}

function aFile(path: string, more: Partial<ManifestEntry> = {}): ManifestEntry {
  return { path, directory: false, size: 1, mode: 0o644, mtimeMs: 0, ...more };
}

describe('before both proofs hold', () => {
  stageWith('server');

  const item = { kind: 'item', sequence: 1, atMs: 0, body: { kind: 'text', text: 'unproven' } } as const;
  const words: [string, (peer: HostilePeer) => Promise<(PeerMessage | Buffer)[]> | (PeerMessage | Buffer)[]][] = [
    ['a hello', (peer) => [peer.hello()]],
    [
      'an activation and a text',
      (peer) => [{ kind: 'activate', epoch: 1, path: '', why: '', held: peer.held() }, item],
    ],
    ['data', () => [Buffer.concat([header(FrameType.data, 20), Buffer.alloc(20)])]],
    ['a proof of another connection', (peer) => [peer.proof(Buffer.alloc(32, 7)), peer.hello(), item]],
    ['a proof in the other role', (peer) => [peer.proof(undefined, 'server'), peer.hello(), item]],
    ['the victim’s own proof', async (peer) => [await peer.next('proof'), peer.hello(), item]],
    ['a proof that is empty', (peer) => [{ kind: 'proof', signature: Buffer.alloc(0) }, peer.hello(), item]],
    ['a frame of 4 GiB', () => [header(FrameType.message, 0xffffffff)]],
    ['a frame just longer than a stranger’s may be', () => [header(FrameType.message, MAX_FRAME_UNPROVEN + 1)]],
    ['a frame of no known type', () => [header(9, 1)]],
    ['noise', () => [Buffer.concat([header(FrameType.message, 64), Buffer.alloc(64, 0xff)])]],
  ];

  it.each(words)('%s counts for nothing and ends the connection', async (_, say) => {
    const at = victim.events.length;
    const peer = await secure();
    for (const word of await say(peer)) await peer.write(Buffer.isBuffer(word) ? word : frame(word));
    await peer.ended;
    expect(eventsSince(at, 'connected')).toEqual([]);
    expect(eventsSince(at, 'message')).toEqual([]);
  });

  it('and after all of that the program goes on', goesOn);
});

describe('an authenticated peer', () => {
  stageWith('server');

  const rules: [string, (peer: HostilePeer) => Buffer | Promise<Buffer>][] = [
    ['a frame of 4 GiB', () => header(FrameType.message, 0xffffffff)],
    ['a frame just longer than allowed', () => header(FrameType.data, MAX_FRAME_PEER + 1)],
    ['a frame of no known type', () => header(0, 1)],
    ['an empty message', () => header(FrameType.message, 0)],
    ['groups within groups', () => Buffer.concat([header(FrameType.message, 500_000), Buffer.alloc(500_000, 0x0b)])],
    ['a message with a hundred thousand empty candidates', () => candidatesFrame(100_000)],
    ['a message of a kind that only a mediator sends', () => Buffer.concat([header(1, 2), Buffer.from([0xfa, 0x00])])],
  ];

  it.each(rules)('that sends %s loses its link, and nothing else happens', async (_, bytes) => {
    const peer = await join();
    await victim.next('connected');
    peer.write(await bytes(peer));
    await peer.ended;
    await victim.next('disconnected');
  });

  it('that asks without end and never reads loses its link before it fills the memory', async () => {
    const peer = await join();
    peer.stopReading();
    const pings = Buffer.concat(Array.from({ length: 20_000 }, (_, nonce) => frame({ kind: 'ping', nonce })));
    while (!peer.isEnded) await Promise.race([peer.write(pings), peer.ended]);
    expect(residentMiB()).toBeLessThan(MAX_RESIDENT_MIB);
  });

  it('that activates its link again and again is not followed for long', async () => {
    const at = victim.events.length;
    const peer = await join();
    for (let count = 0; count < 5_000 && !peer.isEnded; count++) peer.activate();
    await peer.ended;
    expect(eventsSince(at, 'path').length).toBeLessThan(300);
  });

  it('that tells a thousand times how to be met without a mediator is not heard for long', async () => {
    const peer = await join();
    const remember: PeerMessage = { kind: 'remember', token: Buffer.alloc(32, 1), candidates: [] };
    peer.send(...Array.from({ length: 1_000 }, () => remember));
    await peer.ended;
  });

  it('that sends thousands of texts at once does not keep the program from its user', async () => {
    const peer = await join();
    const texts = peer.items(...Array.from({ length: 20_000 }, (): ItemBody => ({ kind: 'text', text: 'x' })));
    peer.send(...texts);
    expect(await answerMs()).toBeLessThan(PROMPT_MS);
  });

  it('that sends texts which are laborious to take apart does not keep the program from its user', async () => {
    const peer = await join();
    const marks = `a${'\u0301\u0316'.repeat(MAX_TEXT_BYTES)}`.slice(0, MAX_TEXT_BYTES / 2);
    peer.send(...peer.items(...Array.from({ length: 20 }, (): ItemBody => ({ kind: 'text', text: marks }))));
    expect(await answerMs()).toBeLessThan(PROMPT_MS);
  });

  it('that claims to hold what was never sent is told of a new journal, and gets what is sent', async () => {
    const text = 'from before the backup';
    victim.send({ command: 'message', text });
    const { id } = await victim.next((event) => event.event === 'message' && event.text === text);
    const peerJournalId = String(id).slice(0, 32);
    const peer = await join({ peerJournalId, peerSequence: Number.MAX_SAFE_INTEGER });
    const { journalId, firstSequence } = peer.victimHolds;
    expect(journalId).not.toBe(peerJournalId);
    victim.send({ command: 'message', text: 'and after it' });
    await peer.next('item', ({ body, sequence }) => body.kind === 'text' && sequence === firstSequence);
  });

  it('and after all of that the program goes on', async () => {
    await goesOn();
    expect(residentMiB()).toBeLessThan(MAX_RESIDENT_MIB);
  });
});

describe('an authenticated peer and files', () => {
  stageWith('server');

  async function offer(peer: HostilePeer, entries: ManifestEntry[], bytes = totalOf(entries)): Promise<string> {
    const transfer = randomBytes(16).toString('hex');
    const parts: ItemBody[] = [];
    for (let at = 0; at < entries.length; at += 200) {
      parts.push({ kind: 'manifestPart', transfer, entries: entries.slice(at, at + 200) });
    }
    peer.send(...peer.items(...parts, { kind: 'offer', transfer, entries: entries.length, bytes }));
    return transfer;
  }

  const refused: [string, ManifestEntry[]][] = [
    ['a way up', [aFile('../up')]],
    ['a way up in the middle', [aFolder('a'), aFile('a/../../up')]],
    ['an absolute path', [aFile('/tmp/up')]],
    ['a NUL', [aFile('a\0b')]],
    ['nothing between two slashes', [aFolder('a'), aFile('a//b')]],
    ['a folder that is a file', [aFile('a'), aFile('a/b')]],
    ['a name twice', [aFile('a'), aFile('a')]],
    ['no name', [aFile('')]],
    ['more bytes than there are numbers', [aFile('a', { size: Number.MAX_SAFE_INTEGER }), aFile('b', { size: 9 })]],
  ];

  it.each(refused)('that offers %s is refused without asking', async (_, entries) => {
    const peer = await join();
    const at = victim.events.length;
    const transfer = await offer(peer, entries, 0);
    await peer.next('item', ({ body }) => body.kind === 'decline' && body.transfer === transfer);
    expect(eventsSince(at, 'offer')).toEqual([]);
  });

  it('that gives names which mean something elsewhere cannot write outside of the folder', async () => {
    const names = [
      '..\\up',
      'C:up',
      'con',
      '\u001b]0;up\u0007',
      '.turbo-beep-up',
      'up.',
      '\u202eup',
      'a\nb',
      '~',
      '%2e%2e%2fup',
    ];
    const entries = names.map((name) => aFile(name, { size: 0, mode: 0o6777 }));
    const into = stage.pair.path('outer', 'into');
    const peer = await join();
    const transfer = await offer(peer, entries);
    await victim.next((event) => event.event === 'offer' && event.transfer === transfer);
    victim.send({ command: 'accept', transfer, into });
    const { stream } = await peer.next('want');
    peer.send({ kind: 'resume', stream, entry: 0, offset: 0 });
    const sha256 = createHash('sha256').digest();
    peer.send(...entries.map((_, entry) => ({ kind: 'fileEnd', stream, entry, size: 0, sha256 }) as const));
    await victim.next((event) => event.event === 'transferred' && event.transfer === transfer);

    expect(readdirSync(stage.pair.path('outer'))).toEqual(['into']);
    const made = readdirSync(into);
    expect(made).toHaveLength(names.length);
    for (const name of made) {
      expect(name).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\\:]/u);
      expect(statSync(pathOf(into, name)).mode & 0o7000).toBe(0);
    }
  });

  it('that offers thousands of long names which differ at their end alone does not keep the program busy', async () => {
    const name = (at: number, last: string) => aFile('s'.repeat(249) + String(at).padStart(5, '0') + last, { size: 0 });
    const entries = Array.from({ length: 5_000 }, (_, at) => [name(at, 'a'), name(at, 'A')]).flat();
    const peer = await join();
    const transfer = await offer(peer, entries);
    await victim.next((event) => event.event === 'offer' && event.transfer === transfer);
    victim.send({ command: 'accept', transfer, into: stage.pair.path('long') });
    await peer.next('want');
    expect(await answerMs()).toBeLessThan(PROMPT_MS);
    victim.send({ command: 'cancel', transfer });
  });

  it('that wants a file thousands of times has one stream of it, and the program one file open', async () => {
    const file = stage.pair.path('wanted');
    writeFileSync(file, Buffer.alloc(3_000_000, 1));
    victim.send({ command: 'send', paths: [file] });
    const peer = await join();
    const offered = await peer.next('item', ({ body }) => body.kind === 'offer');
    const transfer = offered.body.kind === 'offer' ? offered.body.transfer : '';
    const want = (stream: number): PeerMessage => ({ kind: 'want', transfer, stream, entry: 0, checkpoints: [] });
    peer.send(...Array.from({ length: 5_000 }, (_, at) => want(at + 1)));
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, openFiles());
    }, 10);
    await peer.next('resume', ({ stream }) => stream === 5_000);
    clearInterval(watch);
    expect(most).toBeLessThan(100);
    peer.send({ kind: 'want', transfer: ID, stream: 1, entry: 0, checkpoints: [] });
    peer.send({ kind: 'want', transfer, stream: 1, entry: 7, checkpoints: [] });
    await peer.ended;
  });

  it('and after all of that the program goes on', goesOn);
});

describe('an authenticated peer and addresses', () => {
  stageWith('server');

  it('cannot make the program knock anywhere without bound', async () => {
    let knocks = 0;
    let lastAt = performance.now();
    const knock = () => {
      knocks += 1;
      lastAt = performance.now();
    };
    const tcp = net.createServer((socket) => {
      knock();
      socket.on('error', () => {}).destroy();
    });
    const udp = dgram.createSocket('udp4').on('message', knock);
    await once(tcp.listen(0, '127.0.0.1'), 'listening');
    udp.bind((tcp.address() as AddressInfo).port, '127.0.0.1');
    const { port } = tcp.address() as AddressInfo;
    const peer = await join();
    const tell = (
      type: Candidate['type'],
      transport: Candidate['transport'],
      address: string,
      to = port,
    ): Candidate => ({ type, transport, address, port: to, seenPorts: [] });
    const candidates: Candidate[] = [
      tell('reflexive', 'tcp', '127.0.0.1'),
      tell('mapped', 'tcp', '127.0.0.1'),
      tell('reflexive', 'udp', '127.0.0.1'),
      tell('host', 'udp', '127.0.0.1'),
      tell('host', 'tcp', 'fe80::1%lo'),
      tell('host', 'tcp', '::ffff:127.0.0.1'),
      tell('host', 'tcp', '255.255.255.255'),
      tell('host', 'udp', '224.0.0.1'),
      tell('host', 'tcp', 'localhost'),
      tell('host', 'tcp', '127.0.0.1', 0),
      tell('host', 'tcp', '127.0.0.1', 4_000_000_000),
      { ...tell('host', 'udp', '127.0.0.1'), type: 'relay' as 'host' },
    ];
    const { introductionId } = peer.introduction;
    for (let again = 0; again < 50; again++) peer.send({ kind: 'candidates', introductionId, candidates });
    await vi.waitUntil(() => knocks > 0 && performance.now() - lastAt > 1_500, { timeout: 20_000, interval: 100 });
    tcp.close();
    udp.close();
    // Ten rounds of UDP, a dial by tcp-direct with its retries, and at most 150 from the registration's port.
    expect(knocks).toBeLessThan(250);
  });

  it('and after all of that the program goes on', goesOn);
});

describe('strangers at the port where the program waits without a mediator', () => {
  stageWith('server');

  it('hear nothing, leave no trace and keep the peer out no longer than it takes to say who it is', async () => {
    const peer = await join();
    peer.send({ kind: 'remember', token: Buffer.alloc(32, 1), candidates: [] });
    const { token, candidates } = await peer.next('remember');
    const { port = 0 } = candidates.find(({ transport }) => transport === 'tcp') ?? {};
    const strangers: net.Socket[] = [];
    let heard = 0;
    for (let count = 0; count < 60; count++) {
      const stranger = net.connect(port, '127.0.0.1').on('error', () => {});
      stranger.on('data', (bytes) => {
        heard += bytes.length;
      });
      await once(stranger, 'connect');
      if (count % 2 === 0) stranger.write(count % 4 === 0 ? 'GET / HTTP/1.1\r\n\r\n' : randomBytes(8_000));
      strangers.push(stranger);
    }
    await peer.dial(port, token);
    expect(heard).toBe(0);
    expect(victim.stderr).toBe('');
    for (const stranger of strangers) stranger.destroy();
  });

  it('and after all of that the program goes on', goesOn);
});

describe('nothing that an authenticated peer says reaches a terminal as it is:', () => {
  const EVIL = '\u001b]0;evil\u0007\u009b31m\u202e\r\b\u0000x';

  it.each(['--plain', '--json'])('%s', async (face) => {
    stage = new HostileStage('server');
    try {
      await stage.pair.startMediator();
      victim = start([...stage.pair.peerArguments(stage.victimName), face]);
      const said = (text: string) => vi.waitFor(() => expect(victim.stdout).toContain(text), { timeout: 20_000 });
      await said(face === '--json' ? 'waiting' : 'Waiting');
      const peer = keep(await HostilePeer.secure(stage));
      peer.send(peer.proof(), peer.hello({ group: EVIL, path: EVIL, features: [EVIL] }));
      await peer.next('hello');
      const held = peer.held();
      for (const epoch of [1, 2]) peer.send({ kind: 'activate', epoch, path: EVIL, why: EVIL, held });
      const transfer = ID;
      const items = peer.items(
        { kind: 'text', text: `${EVIL} text` },
        { kind: 'manifestPart', transfer, entries: [aFile(`${EVIL.replace('\u0000', '')} name`)] },
        { kind: 'offer', transfer, entries: 1, bytes: 1 },
        { kind: 'cancel', transfer, reason: `${EVIL} reason` },
        { kind: 'manifestPart', transfer: 'cd'.repeat(16), entries: [aFile(`${EVIL}/../refused`)] },
        { kind: 'offer', transfer: 'cd'.repeat(16), entries: 1, bytes: 1 },
      );
      peer.send(...items);
      for (const word of ['text', 'name', 'reason', 'refused']) await said(word);
      await peer.leave(`${EVIL} farewell`);
      await said('farewell');
      expect(victim.stdout + victim.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/u);
      if (face === '--plain') expect(victim.stdout).not.toContain('\u202e');
    } finally {
      for (const peer of peers.splice(0)) peer.close();
      await stopAll();
      stage.pair.remove();
    }
  });
});

describe('a peer that is the TLS server', () => {
  stageWith('client');

  it.each<[string, (peer: HostilePeer) => PeerMessage]>([
    ['activates', (peer) => ({ kind: 'activate', epoch: 1, path: '', why: '', held: peer.held() })],
    ['says hello again', (peer) => peer.hello()],
    ['proves itself again', (peer) => peer.proof()],
  ])('and %s loses its link', async (_, say) => {
    const peer = await join();
    peer.send(say(peer));
    await peer.ended;
  });

  it('and never confirms the link does not keep the program from the next one', async () => {
    const silent = keep(await HostilePeer.link(stage));
    await silent.next('activate');
    silent.stopReading();
    await goesOn();
  });

  it('and confirms what was not asked is not followed', async () => {
    const peer = keep(await HostilePeer.link(stage));
    const { epoch } = await peer.next('activate');
    const at = victim.events.length;
    peer.send({ kind: 'activated', epoch: epoch + 1, held: peer.held() });
    peer.send(...peer.items({ kind: 'text', text: 'too early' }));
    await goesOn();
    expect(eventsSince(at, 'message')).not.toContainEqual(expect.objectContaining({ text: 'too early' }));
  });

  it('and after all of that the program goes on', goesOn);
});

function totalOf(entries: readonly ManifestEntry[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}

function aFolder(path: string): ManifestEntry {
  return aFile(path, { directory: true, size: 0 });
}

function candidatesFrame(count: number): Buffer {
  // Field 3 of the envelope; in it the introduction's id, and `count` times field 2 with nothing in it.
  const list = Buffer.concat([
    Buffer.from([0x0a, 16]),
    Buffer.alloc(16, 1),
    Buffer.alloc(2 * count, Buffer.from([0x12, 0])),
  ]);
  const length = Buffer.from([
    0x1a,
    (list.length & 0x7f) | 0x80,
    ((list.length >> 7) & 0x7f) | 0x80,
    list.length >> 14,
  ]);
  return Buffer.concat([header(FrameType.message, length.length + list.length), length, list]);
}
