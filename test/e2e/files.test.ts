import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { smallDisk } from '../peer/files/helpers/small-disk.js';
import { noise, plant, sha256, survey } from '../peer/files/helpers/tree.js';
import { Pair } from '../support/pair.js';
import { type ProgramEvent, type RunningProgram, start, stopAll } from '../support/program.js';
import { Wire } from '../support/wire.js';

const MIB = 1024 * 1024;

let pair: Pair;
let wire: Wire | null = null;

beforeEach(async () => {
  pair = new Pair();
  await pair.startMediator();
});

afterEach(async () => {
  await stopAll();
  wire?.close();
  wire = null;
  pair.remove();
});

/** From here on everything that peers say goes over a wire in the test's hand. */
async function stretchWire(): Promise<Wire> {
  wire = await Wire.open(pair.port);
  pair.door = wire.port;
  return wire;
}

const OVER_WIRE = ['--paths', 'relay'];

/** Offers the paths, and waits until the other has heard of it. */
async function offer(from: RunningProgram, to: RunningProgram, ...paths: string[]) {
  from.send({ command: 'send', paths });
  const { transfer } = await from.next('offered');
  const heard = await to.next((event) => event.event === 'offer' && event.transfer === transfer);
  return { transfer: String(transfer), files: heard.files };
}

function about(transfer: string, event: string) {
  return (each: ProgramEvent) => each.event === event && each.transfer === transfer;
}

async function bothHear(event: string, transfer: string, ...people: RunningProgram[]): Promise<void> {
  await Promise.all(people.map((person) => person.next(about(transfer, event))));
}

/** A file of bytes that repeat nowhere. */
function bigFile(name: string, mib: number): string {
  plant(pair.folder, { [name]: noise(mib * MIB, mib) });
  return pair.path(name);
}

function fileHash(...parts: string[]): string {
  return sha256(readFileSync(pair.path(...parts)));
}

describe('an offer', () => {
  it('of files and folders is shown in full, and lands with its modes and times', async () => {
    plant(pair.folder, {
      'from/a.txt': 'letters',
      'from/empty': '',
      'from/run me.sh': '#!/bin/sh\n',
      'from/tree/文/🎈.bin': noise(3 * MIB),
      'from/tree/nothing/': '',
      'from/hollow/': '',
    });
    chmodSync(pair.path('from/run me.sh'), 0o755);
    chmodSync(pair.path('from/a.txt'), 0o640);
    chmodSync(pair.path('from/tree/文'), 0o750);
    const then = new Date('2001-02-03T04:05:06Z');
    for (const name of ['a.txt', 'tree/文/🎈.bin', 'tree/文', 'hollow'])
      utimesSync(pair.path('from', name), then, then);
    const { alice, bob } = await pair.meet();
    const names = ['a.txt', 'empty', 'run me.sh', 'tree', 'hollow'];
    const { transfer, files } = await offer(alice, bob, ...names.map((name) => pair.path('from', name)));
    expect(files).toHaveLength(6);
    expect(files).toEqual(
      expect.arrayContaining([
        { name: 'a.txt', size: 7 },
        { name: 'empty', size: 0 },
        { name: 'run me.sh', size: 10 },
        { name: 'tree/文/🎈.bin', size: 3 * MIB },
        { name: 'tree/nothing/', size: 0 },
        { name: 'hollow/', size: 0 },
      ]),
    );
    expect(alice.events).toContainEqual({ event: 'offered', transfer, files });
    expect(existsSync(pair.path('into'))).toBe(false);

    bob.send({ command: 'accept', transfer, into: pair.path('into/deep') });
    await bothHear('transferred', transfer, alice, bob);
    expect(survey(pair.path('into/deep'))).toEqual(survey(pair.path('from')));
    for (const name of ['a.txt', 'run me.sh', 'tree/文/🎈.bin', 'tree/文', 'hollow']) {
      const [sent, landed] = [statSync(pair.path('from', name)), statSync(pair.path('into/deep', name))];
      // Whole milliseconds are told; what a double makes of the rest differs between Nodes.
      expect({ name, mode: landed.mode, mtimeMs: Math.floor(landed.mtimeMs) }).toEqual({
        name,
        mode: sent.mode,
        mtimeMs: Math.floor(sent.mtimeMs),
      });
    }
    expect(bob.events).toContainEqual({ event: 'accepted', transfer, into: pair.path('into/deep') });
    const told = bob.events.filter(({ event }) => event === 'file');
    expect(told).toHaveLength(4);
    expect(told).toContainEqual({
      event: 'file',
      transfer,
      name: 'tree/文/🎈.bin',
      path: pair.path('into/deep/tree/文/🎈.bin'),
      bytes: 3 * MIB,
      sha256: fileHash('from/tree/文/🎈.bin'),
    });
    expect(alice.events.find(about(transfer, 'progress'))).toMatchObject({ total: 3 * MIB + 17 });
  });

  it('never overwrites: taken names get a number, folders too', async () => {
    plant(pair.folder, { 'from/a.tar.gz': 'new', 'from/tree/x': 'new', 'into/a.tar.gz': 'old', 'into/tree/y': 'old' });
    const { alice, bob } = await pair.meet();
    for (let time = 0; time < 2; time += 1) {
      const { transfer } = await offer(alice, bob, pair.path('from/a.tar.gz'), pair.path('from/tree'));
      bob.send({ command: 'accept', transfer, into: pair.path('into') });
      await bothHear('transferred', transfer, alice, bob);
    }
    const content = Object.entries(survey(pair.path('into'))).filter(([name]) => !name.endsWith('/'));
    const old = sha256('old');
    const fresh = sha256('new');
    expect(content.filter(([, hash]) => hash === old).map(([name]) => name)).toEqual(['a.tar.gz', 'tree/y']);
    expect(content.filter(([, hash]) => hash === fresh)).toHaveLength(4);
    expect(Object.keys(survey(pair.path('into')))).toEqual(expect.arrayContaining(['tree (1)/x', 'tree (2)/x']));
    expect(readdirSync(pair.path('into'))).toHaveLength(6);
  });

  it('can go both ways at once, several at a time', async () => {
    const { alice, bob } = await pair.meet();
    const ways = [
      { from: alice, to: bob, name: 'a1', mib: 24 },
      { from: bob, to: alice, name: 'b1', mib: 24 },
      { from: alice, to: bob, name: 'a2', mib: 3 },
      { from: bob, to: alice, name: 'b2', mib: 3 },
    ];
    const offers: string[] = [];
    for (const { from, to, name, mib } of ways) offers.push((await offer(from, to, bigFile(name, mib))).transfer);
    await Promise.all(
      ways.map(async ({ from, to, name }, index) => {
        const transfer = offers[index] ?? '';
        to.send({ command: 'accept', transfer, into: pair.path('into') });
        await bothHear('transferred', transfer, from, to);
        expect(fileHash('into', name)).toBe(fileHash(name));
      }),
    );
  });

  it('can be declined, and taken back', async () => {
    plant(pair.folder, { 'a.txt': 'a' });
    const { alice, bob } = await pair.meet();
    const first = await offer(alice, bob, pair.path('a.txt'));
    bob.send({ command: 'decline', transfer: first.transfer });
    await bothHear('declined', first.transfer, alice, bob);
    const second = await offer(alice, bob, pair.path('a.txt'));
    alice.send({ command: 'cancel', transfer: second.transfer });
    expect(await alice.next('cancelled')).toEqual({ event: 'cancelled', transfer: second.transfer, by: 'me' });
    expect(await bob.next('cancelled')).toEqual({ event: 'cancelled', transfer: second.transfer, by: 'peer' });
    for (const { transfer } of [first, second]) {
      bob.send({ command: 'accept', transfer });
      expect(await bob.next('error')).toMatchObject({ code: 2, transfer });
    }
    for (const person of [alice, bob]) {
      person.send({ command: 'status' });
      expect((await person.next('status')).transfers).toEqual([]);
    }
  });

  it('that nobody has answered comes again after a restart, and can be accepted then', async () => {
    plant(pair.folder, { 'a.txt': 'a' });
    let { alice, bob } = await pair.meet();
    const { transfer, files } = await offer(alice, bob, pair.path('a.txt'));
    await Promise.all([alice.stop(), bob.stop()]);
    ({ alice, bob } = await pair.meet());
    expect(await bob.next('offer')).toEqual({ event: 'offer', transfer, files, replayed: true });
    bob.send({ command: 'accept', transfer, into: pair.path('into') });
    await bothHear('transferred', transfer, alice, bob);
    expect(fileHash('into/a.txt')).toBe(sha256('a'));
  });

  it('made while the other is away is heard of when they come', async () => {
    plant(pair.folder, { 'a.txt': 'a' });
    const alice = pair.startPeer('alice');
    alice.send({ command: 'send', paths: [pair.path('a.txt')], ref: 'first' });
    alice.send({ command: 'send', paths: [pair.path('a.txt')], ref: 'first' });
    const { transfer, ref } = await alice.next('offered');
    expect(ref).toBe('first');
    await alice.next('waiting');
    const bob = pair.startPeer('bob');
    expect((await bob.next('offer')).transfer).toBe(transfer);
    bob.send({ command: 'accept', transfer, into: pair.path('into') });
    await bothHear('transferred', String(transfer), alice, bob);
    expect(bob.events.filter(({ event }) => event === 'offer')).toHaveLength(1);
  });
});

describe('in the middle of a transfer', () => {
  /** A file of 48 MiB is on its way, and a third of it has passed. */
  async function begin() {
    const held = await stretchWire();
    const people = await pair.meet(...OVER_WIRE);
    const { transfer } = await offer(people.alice, people.bob, bigFile('big', 48));
    const full = held.holdAfter(16 * MIB);
    people.bob.send({ command: 'accept', transfer, into: pair.path('into') });
    await full;
    return { ...people, transfer, held };
  }

  it.each(['alice', 'bob'] as const)('%s can cancel it: nothing is left of it on disk', async (canceller) => {
    const { alice, bob, transfer, held } = await begin();
    expect(readdirSync(pair.path('into')).every((name) => name.startsWith('.'))).toBe(true);
    const people = { alice, bob };
    people[canceller].send({ command: 'cancel', transfer });
    await people[canceller].next(about(transfer, 'cancelled'));
    held.release();
    const other = people[canceller === 'alice' ? 'bob' : 'alice'];
    expect(await other.next('cancelled')).toEqual({ event: 'cancelled', transfer, by: 'peer' });
    await expect.poll(() => readdirSync(pair.path('into'))).toEqual([]);
    const next = await offer(alice, bob, pair.path('big'));
    bob.send({ command: 'accept', transfer: next.transfer, into: pair.path('into') });
    await bothHear('transferred', next.transfer, alice, bob);
    expect(fileHash('into/big')).toBe(fileHash('big'));
  });

  it('messages arrive both ways while only little more of it passes', async () => {
    const { alice, bob, transfer, held } = await begin();
    alice.send({ command: 'message', text: 'from alice' });
    bob.send({ command: 'message', text: 'from bob' });
    const from = { alice: 0, bob: 0 };
    const heard = (name: 'alice' | 'bob', person: RunningProgram) =>
      person
        .next((event) => event.event === 'message' && event.from === 'peer')
        .then(() => {
          from[name] = held.passed;
        });
    const before = held.passed;
    const both = Promise.all([heard('alice', alice), heard('bob', bob)]);
    held.release();
    await both;
    expect(Math.max(from.alice, from.bob) - before).toBeLessThan(16 * MIB);
    await bothHear('transferred', transfer, alice, bob);
  });

  it('both may be killed: it goes on where it was, by itself', async () => {
    const { transfer, held, ...before } = await begin();
    await Promise.all([before.alice.stop(), before.bob.stop()]);
    const sentBefore = held.passed;
    held.release();
    const { alice, bob } = await pair.meet(...OVER_WIRE);
    await bothHear('transferred', transfer, alice, bob);
    expect(fileHash('into/big')).toBe(fileHash('big'));
    expect(readdirSync(pair.path('into'))).toEqual(['big']);
    expect(held.passed - sentBefore).toBeLessThan(44 * MIB);
    expect(bob.events.filter(({ event }) => event === 'file')).toHaveLength(1);
  });

  it('what lies on disk of it may change: it is believed by its content alone', async () => {
    const { transfer, held, ...before } = await begin();
    await Promise.all([before.alice.stop(), before.bob.stop()]);
    const [partial = ''] = readdirSync(pair.path('into'));
    expect(partial).toMatch(/^\./);
    const file = await open(pair.path('into', partial), 'r+');
    await file.write(Buffer.from('somebody else was here'), 0, 22, 1_000_000);
    await file.close();
    const { size } = statSync(pair.path('into', partial));
    expect(size).toBeGreaterThan(1_000_022);
    held.release();
    const { alice, bob } = await pair.meet(...OVER_WIRE);
    await bothHear('transferred', transfer, alice, bob);
    expect(fileHash('into/big')).toBe(fileHash('big'));
    expect(readdirSync(pair.path('into'))).toEqual(['big']);
  });

  it('what is being sent may change between two runs: both are told, and nothing wrong lands', async () => {
    const { transfer, held, ...before } = await begin();
    await Promise.all([before.alice.stop(), before.bob.stop()]);
    appendFileSync(pair.path('big'), 'more');
    held.release();
    const { alice, bob } = await pair.meet(...OVER_WIRE);
    expect(await alice.next('error')).toMatchObject({ code: 7, transfer, message: expect.stringContaining('big') });
    await bothHear('cancelled', transfer, alice, bob);
    await expect.poll(() => readdirSync(pair.path('into'))).toEqual([]);
  });

  it('some of what is being sent may change: all else arrives, and both are told by name what did not', async () => {
    plant(pair.folder, { 'd/a': 'first', 'd/b': noise(24 * MIB), 'd/c': 'other', 'd/z': 'last' });
    const held = await stretchWire();
    const full = held.holdAfter(8 * MIB);
    const options = ['--json', ...OVER_WIRE];
    const alice = start(['send', pair.path('d'), ...pair.peerOptions('alice'), ...options]);
    const taking = ['receive', '--into', pair.path('into'), '--yes', '--once'];
    const bob = start([...taking, ...pair.peerOptions('bob'), ...options]);
    const { transfer } = await alice.next('offered');
    await full;
    appendFileSync(pair.path('d/b'), 'more');
    rmSync(pair.path('d/z'));
    held.release();
    for (const person of [alice, bob]) {
      for (const file of ['d/b', 'd/z']) {
        const error = await person.next((event) => event.event === 'error' && event.file === file);
        expect(error).toMatchObject({ code: 7, transfer, message: expect.stringContaining(`"${file}"`) });
        expect(error.hint).toMatch(/again/);
      }
      expect(await person.next('cancelled')).toMatchObject({ transfer, skipped: 2 });
      expect((await person.exited).code).toBe(7);
      expect(person.events.some(({ event }) => event === 'transferred')).toBe(false);
    }
    expect(survey(pair.path('into'))).toEqual({ 'd/': '', 'd/a': sha256('first'), 'd/c': sha256('other') });
  });

  it.runIf(smallDisk.possible)('the disk may fill up: it goes on when there is room again', async () => {
    const held = await stretchWire();
    const { alice, bob } = await pair.meet(...OVER_WIRE);
    const disk = smallDisk.mount(40 * MIB);
    const { transfer } = await offer(alice, bob, bigFile('big', 24));
    const full = held.holdAfter(4 * MIB);
    bob.send({ command: 'accept', transfer, into: disk });
    await full;
    writeFileSync(join(disk, 'filler'), noise(30 * MIB));
    held.release();
    const error = await bob.next('error');
    expect(error).toMatchObject({ code: 7, transfer, message: expect.stringContaining('full') });
    expect(error.hint).toContain('Free some space');
    truncateSync(join(disk, 'filler'));
    await bothHear('transferred', transfer, alice, bob);
    expect(sha256(readFileSync(join(disk, 'big')))).toBe(fileHash('big'));
  });
});

it.runIf(smallDisk.possible)('what has no room is not accepted, and can be when there is room', async () => {
  const { alice, bob } = await pair.meet();
  const disk = smallDisk.mount(16 * MIB);
  writeFileSync(join(disk, 'filler'), noise(8 * MIB));
  const { transfer } = await offer(alice, bob, bigFile('big', 12));
  bob.send({ command: 'accept', transfer, into: disk });
  expect(await bob.next('error')).toMatchObject({ code: 7, transfer, message: expect.stringContaining('not room') });
  truncateSync(join(disk, 'filler'));
  bob.send({ command: 'accept', transfer, into: disk });
  await bothHear('transferred', transfer, alice, bob);
  expect(readdirSync(disk).sort()).toEqual(['big', 'filler']);
});

describe('p2p send and p2p receive', () => {
  function receive(...options: string[]): RunningProgram {
    return start(['receive', '--into', pair.path('into'), ...pair.peerOptions('bob'), ...options]);
  }

  function send(...options: string[]) {
    return start(['send', pair.path('a.txt'), pair.path('tree'), ...pair.peerOptions('alice'), ...options]);
  }

  beforeEach(() => {
    plant(pair.folder, { 'a.txt': 'a', 'tree/b': 'b' });
  });

  it('do one transfer and end with 0', async () => {
    const programs = [send(), receive('--yes', '--once')];
    for (const program of programs) {
      expect(await program.exited).toEqual({ code: 0, signal: null });
      expect(program.stdout).toBe('');
    }
    expect(survey(pair.path('into'))).toEqual({ 'a.txt': sha256('a'), 'tree/': '', 'tree/b': sha256('b') });
    expect(programs[1]?.stderr).toMatch(/offers 2 files[\s\S]*a\.txt[\s\S]*tree\/b[\s\S]*Received/);
  });

  it('in JSON mode tell of it as events, and the end of the input is no end', async () => {
    const [sender, receiver] = [send('--json'), receive('--json', '--yes', '--once')];
    for (const program of [sender, receiver]) {
      program.endInput();
      expect(await program.exited).toEqual({ code: 0, signal: null });
      expect(program.stderr).toBe('');
      const names = program.events.map(({ event }) => event);
      expect(names).toContain('transferred');
      expect(names.at(-1)).toBe('bye');
    }
  });

  it('end with 7 when it is declined, as receive does by itself where there is no terminal', async () => {
    const receiver = receive('--once');
    const sender = send();
    expect(await sender.exited).toEqual({ code: 7, signal: null });
    expect(await receiver.exited).toEqual({ code: 7, signal: null });
    expect(sender.stderr).toContain('declined');
    expect(existsSync(pair.path('into'))).toBe(false);
  });

  it('without --once receive goes on for the next', async () => {
    const receiver = receive('--yes');
    for (const expected of [
      ['a.txt', 'tree'],
      ['a (1).txt', 'a.txt', 'tree', 'tree (1)'],
    ]) {
      expect(await send().exited).toEqual({ code: 0, signal: null });
      expect(readdirSync(pair.path('into')).sort()).toEqual(expected);
    }
    expect(await receiver.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('are not done when they are interrupted, and end with 7', async () => {
    for (const open of [() => send(), () => receive('--once')]) {
      const program = open();
      await expect.poll(() => program.stderr, { timeout: 20_000 }).toContain('Waiting for');
      expect(await program.stop('SIGINT')).toEqual({ code: 7, signal: null });
      expect(program.stderr).toContain('interrupted before all had arrived');
    }
  });

  it('go on with what both were killed in', async () => {
    const held = await stretchWire();
    bigFile('big', 48);
    const sendBig = () => start(['send', pair.path('big'), ...pair.peerOptions('alice'), ...OVER_WIRE]);
    const full = held.holdAfter(16 * MIB);
    const killed = [sendBig(), receive('--yes', '--once', ...OVER_WIRE)];
    await full;
    await Promise.all(killed.map((program) => program.stop()));
    const sentBefore = held.passed;
    held.release();
    const programs = [sendBig(), receive('--yes', '--once', ...OVER_WIRE)];
    for (const program of programs) expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(readdirSync(pair.path('into'))).toEqual(['big']);
    expect(fileHash('into/big')).toBe(fileHash('big'));
    expect(held.passed - sentBefore).toBeLessThan(44 * MIB);
  });

  it.each(['sender', 'receiver'] as const)('end with 7 when the %s cancels', async (canceller) => {
    const held = await stretchWire();
    bigFile('big', 24);
    const ends = {
      sender: start(['send', pair.path('big'), ...pair.peerOptions('alice'), ...OVER_WIRE, '--json']),
      receiver: receive('--yes', '--once', '--json', ...OVER_WIRE),
    };
    const full = held.holdAfter(8 * MIB);
    const { transfer } = await ends.receiver.next('accepted');
    await full;
    ends[canceller].send({ command: 'cancel', transfer });
    await ends[canceller].next('cancelled');
    held.release();
    for (const program of Object.values(ends)) expect(await program.exited).toEqual({ code: 7, signal: null });
    expect(readdirSync(pair.path('into'))).toEqual([]);
  });
});

it('a file of more than 4 GiB arrives whole, in constant memory', async () => {
  const bytes = 4 * 1024 * MIB + 4321;
  mkdirSync(pair.path('from'));
  const file = await open(pair.path('from/huge'), 'w');
  await file.truncate(bytes);
  for (const at of [0, 2 ** 31 - 3, 2 ** 32 - 3, bytes - 6]) await file.write(Buffer.from('marked'), 0, 6, at);
  await file.close();
  const { alice, bob } = await pair.meet();
  const { transfer } = await offer(alice, bob, pair.path('from/huge'));
  bob.send({ command: 'accept', transfer, into: pair.path('into') });
  await Promise.all([alice, bob].map((person) => arrives(person, transfer)));
  expect(statSync(pair.path('into/huge')).size).toBe(bytes);
  const compared = spawnSync('cmp', [pair.path('from/huge'), pair.path('into/huge')], { encoding: 'utf8' });
  expect(compared).toMatchObject({ status: 0, stdout: '' });
  for (const { pid } of [alice, bob]) {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    expect(Number(kib)).toBeLessThan(300 * 1024);
  }
}, 600_000);

/** However long it takes, as long as more and more of it comes. */
async function arrives(person: RunningProgram, transfer: string): Promise<void> {
  const [more, end] = [about(transfer, 'progress'), about(transfer, 'transferred')];
  for (;;) {
    const { event } = await person.next((each) => more(each) || end(each));
    if (event === 'transferred') return;
  }
}
