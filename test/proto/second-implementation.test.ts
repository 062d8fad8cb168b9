import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolders } from '../support/folder.js';
import { type RunningProgram, start, stopAll } from '../support/program.js';
import {
  type Fields,
  type Frames,
  field,
  idOf,
  type KeyPair,
  message,
  openRelay,
  preface,
  type Registration,
  type Role,
  registerWith,
  shakeHands,
  transcript,
} from './minimal-peer.js';

/**
 * A client written from proto/README.md alone meets the real programs. If one of these tests fails and the others do
 * not, the page is wrong.
 */
const temporaryFolder = temporaryFolders();
const keys = [newKeyPair(), newKeyPair()].sort((a, b) => Buffer.compare(a.id, b.id)) as [KeyPair, KeyPair];
const keyIn = (role: Role): KeyPair => keys[role === 'client' ? 0 : 1];
const other = (role: Role): Role => (role === 'client' ? 'server' : 'client');
const ADMITTED = 4;
const REFUSED = 5;
const WAITING = 6;
const INTRODUCTION = 7;

let folder = '';
let port = 0;
let mediatorId = Buffer.alloc(0);

function newKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { id: idOf(publicKey), publicKey, privateKey };
}

async function startMediator(): Promise<void> {
  folder = temporaryFolder();
  const certs = join(folder, 'certs');
  mkdirSync(certs);
  for (const [at, { publicKey }] of keys.entries())
    writeFileSync(join(certs, `${at}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
  const args = ['--host', '127.0.0.1', '--port', '0', '--home', join(folder, 'mediator'), '--certs', certs, '--json'];
  const listening = await start(args, { program: 'p2p-server' }).next('listening');
  port = Number(listening.port);
  mediatorId = Buffer.from(String(listening.fingerprint), 'hex');
}

afterEach(stopAll);

describe('with the mediator, the second implementation', () => {
  beforeEach(startMediator);

  test('authenticates, and hears where it comes from and that nobody waits for it', async () => {
    const { frames, verdict } = await register('client');
    expect(verdict?.kind).toBe(ADMITTED);
    expect(verdict?.body.inner(1).text(1)).toBe('127.0.0.1');
    expect(verdict?.body.inner(1).number(2)).toBeGreaterThan(0);
    expect((await frames.next())?.kind).toBe(WAITING);
    frames.send(message(11, field(1, 4711)));
    const pong = await frames.next();
    expect([pong?.kind, pong?.body.number(1)]).toEqual([12, 4711]);
  });

  test('is refused if one byte of what it signs is another', async () => {
    const one = keyIn('client');
    const changed = (signed: Buffer) =>
      Buffer.concat([signed.subarray(0, -1), Buffer.of(~(signed.at(-1) ?? 0) & 0xff)]);
    const { frames, verdict } = await registerWith(port, one, keyIn('server').id, mediatorId, changed);
    expect(verdict?.kind).toBe(REFUSED);
    expect(await frames.next()).toBeNull();
  });

  test('is refused in the same words if nobody knows its key', async () => {
    const { verdict } = await registerWith(port, newKeyPair(), keyIn('server').id, mediatorId);
    const wrong = await registerWith(port, keyIn('client'), keyIn('server').id, mediatorId, () => Buffer.alloc(0));
    expect(verdict?.kind).toBe(REFUSED);
    expect(verdict?.body.text(1)).toBe(wrong.verdict?.body.text(1));
  });

  test('is introduced to another of its kind, and their relay streams are joined', async () => {
    const [one, two] = [await register('client'), await register('server')];
    expect((await one.frames.next())?.kind).toBe(WAITING);
    const [mine, theirs] = [await introduced(one), await introduced(two)];
    expect(mine.bytes(2)).toEqual(theirs.bytes(2));
    expect([mine.bytes(1).length, mine.bytes(2).length]).toEqual([16, 32]);
    const token = mine.bytes(2);
    const [a, b] = await Promise.all([openRelay(port, token, 'client'), openRelay(port, token, 'server')]);
    const [client, server] = await Promise.all([
      shakeHands(a, 'client', keyIn('client'), keyIn('server').publicKey),
      shakeHands(b, 'server', keyIn('server'), keyIn('client').publicKey),
    ]);
    client.send(message(14, field(1, 'quit')));
    expect((await server.next())?.body.text(1)).toBe('quit');
  });
});

describe.each(['client', 'server'] as Role[])('with a real peer, as the %s, the second implementation', (role) => {
  beforeEach(startMediator);

  test('talks both ways, each item acknowledged, and takes its leave', async () => {
    const program = startPeer(other(role));
    const registration = await register(role);
    const token = (await introduced(registration)).bytes(2);
    const stream = await openRelay(port, token, role);
    const frames = await shakeHands(stream, role, keyIn(role), keyIn(other(role)).publicKey);
    const journal = randomBytes(16);
    const hello = [field(1, 1), field(3, randomBytes(16)), field(4, journal), field(6, 'relay')];
    frames.send(message(2, ...hello, ...(role === 'client' ? [field(5, 'X25519')] : [])));
    const theirHello = await expectKind(frames, 2);
    expect([theirHello.number(1), theirHello.bytes(3).length, theirHello.text(6)]).toEqual([1, 16, 'relay']);

    // Held: nothing of theirs, and my items from the first on.
    const held = message(role === 'client' ? 4 : 2, field(3, journal), field(4, 1));
    if (role === 'client') frames.send(message(4, field(1, 1), field(2, 'relay'), field(3, 'the first'), held));
    const opening = await expectKind(frames, role === 'client' ? 5 : 4);
    if (role === 'server') frames.send(message(5, field(1, opening.number(1)), held));
    const theirJournal = opening.inner(role === 'client' ? 2 : 4).bytes(3);
    expect(theirJournal).toEqual(theirHello.bytes(4));
    await program.next('connected');

    frames.send(message(6, field(1, 1), field(2, Date.now()), message(3, field(1, 'from the page'))));
    const ack = await expectKind(frames, 7);
    expect([ack.bytes(1), ack.number(2)]).toEqual([journal, 1]);
    const heard = await program.next('message');
    expect(heard).toMatchObject({ from: 'peer', text: 'from the page', id: `${journal.toString('hex')}-1` });

    program.send({ command: 'message', text: 'to the page' });
    const item = await expectKind(frames, 6);
    expect([item.number(1), item.inner(3).text(1)]).toEqual([1, 'to the page']);
    frames.send(message(7, field(1, theirJournal), field(2, 1)));
    expect(await program.next('delivered')).toMatchObject({ id: `${theirJournal.toString('hex')}-1` });

    frames.send(message(14, field(1, 'quit')));
    frames.end();
    expect(await program.next('disconnected')).toMatchObject({ reason: 'the peer left' });
  });
});

test('the second implementation makes the page’s prefaces and transcripts', () => {
  const page = readFileSync(new URL('../../proto/README.md', import.meta.url), 'utf8').replace(/\s/g, '');
  const [client, server, exporter] = [Buffer.alloc(32, 0x11), Buffer.alloc(32, 0x22), Buffer.alloc(32, 0x55)];
  for (const role of ['client', 'server'] as const) {
    const judged = role === 'client' ? server : client;
    const signed = transcript(`turbo-beep/1 peer-${role}`, client, server, judged, exporter);
    expect(page).toContain(`${role}-transcript${signed.toString('hex')}`);
    expect(page).toContain(`${role}-preface${preface(Buffer.alloc(32, 0x66), role).toString('hex')}`);
  }
});

function register(role: Role): Promise<Registration> {
  return registerWith(port, keyIn(role), keyIn(other(role)).id, mediatorId);
}

async function introduced({ frames }: Registration): Promise<Fields> {
  for (;;) {
    const next = await frames.next();
    if (!next) throw new Error('the mediator closed');
    if (next.kind === INTRODUCTION) return next.body;
  }
}

/** The next message of this kind. Pings are answered; candidates and `Remember`, in which this peer takes no part, passed over. */
async function expectKind(frames: Frames, kind: number): Promise<Fields> {
  for (;;) {
    const next = await frames.next();
    if (!next) throw new Error(`the link ended before a message of kind ${kind}`);
    if (next.kind === kind) return next.body;
    if (next.kind === 12) frames.send(message(13, field(1, next.body.number(1))));
    else if (![3, 13, 18].includes(next.kind)) throw new Error(`kind ${next.kind} where ${kind} was due`);
  }
}

function startPeer(role: Role): RunningProgram {
  const [own, theirs] = [join(folder, 'own.pem'), join(folder, 'theirs.pem')];
  writeFileSync(own, keyIn(role).privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(theirs, keyIn(other(role)).publicKey.export({ type: 'spki', format: 'pem' }));
  const home = join(folder, 'peer');
  return start(['127.0.0.1', String(port), own, theirs, '--home', home, '--json', '--paths', 'relay']);
}
