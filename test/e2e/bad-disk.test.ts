import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noise, plant, sha256 } from '../peer/files/helpers/tree.js';
import { canMount, Disk } from '../support/disk.js';
import { type Name, OTHER, Pair } from '../support/pair.js';
import { type ProgramEvent, type RunningProgram, stopAll } from '../support/program.js';

const MIB = 1024 * 1024;
/** Together more than what lies unused in the pages that a full disk has given away already. */
const LONG = 'x'.repeat(60_000);
const MANY = 60;

let pair: Pair;

beforeEach(async () => {
  pair = new Pair();
  await pair.startMediator();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

/** The home of one of the two lies on a disk of its own. */
function homeOnDisk(name: Name): Disk {
  const disk = new Disk(12 * MIB);
  mkdirSync(join(disk.path, 'home'), { mode: 0o700 });
  symlinkSync(join(disk.path, 'home'), pair.path(name, 'home'));
  return disk;
}

function isFullDisk({ event, message }: ProgramEvent): boolean {
  return event === 'error' && String(message).includes('the disk is full');
}

function isReadOnlyDisk({ event, message }: ProgramEvent): boolean {
  return event === 'error' && String(message).includes('read-only disk');
}

function heardBy(person: RunningProgram): string[] {
  const heard = person.events.filter(({ event, from }) => event === 'message' && from === 'peer');
  return heard.map(({ text }) => String(text));
}

function confirmedBy(person: RunningProgram): string[] {
  return person.events.filter(({ event, from }) => event === 'message' && from === 'me').map(({ ref }) => String(ref));
}

async function offer(from: RunningProgram, to: RunningProgram, path: string): Promise<string> {
  from.send({ command: 'send', paths: [path] });
  const { transfer } = await from.next('offered');
  await to.next((event) => event.event === 'offer' && event.transfer === transfer);
  return String(transfer);
}

async function bothTransferred(transfer: string, ...people: RunningProgram[]): Promise<void> {
  const isEnd = (each: ProgramEvent) => each.event === 'transferred' && each.transfer === transfer;
  await Promise.all(people.map((person) => person.next(isEnd, 60_000)));
}

describe.skipIf(!canMount)('a home on a full disk (needs root, to mount one)', () => {
  it.each(['alice', 'bob'] as const)(
    'keeps %s from hearing, which is said once, until there is room',
    async (name) => {
      const disk = homeOnDisk(name);
      const people = await pair.meet('--no-port-mapping');
      const [deaf, other] = [people[name], people[OTHER[name]]];
      disk.fill();
      const told = deaf.next(isFullDisk);
      const said = Array.from({ length: MANY }, (_, index) => `${index} ${LONG}`);
      for (const text of said) other.send({ command: 'message', text });
      expect(await told).toMatchObject({ code: 2, hint: expect.stringContaining('Free some space') });
      disk.makeRoom();
      await expect.poll(() => heardBy(deaf).length, { timeout: 50_000 }).toBe(said.length);
      expect(heardBy(deaf)).toEqual(said);
      expect(deaf.events.filter(isFullDisk)).toHaveLength(1);
      const delivered = () => other.events.filter(({ event }) => event === 'delivered').length;
      await expect.poll(delivered, { timeout: 20_000 }).toBe(said.length);
    },
    120_000,
  );

  it('refuses what is typed, tells so, and takes it when there is room', async () => {
    const disk = homeOnDisk('alice');
    const { alice, bob } = await pair.meet('--no-port-mapping');
    disk.fill();
    const refs = Array.from({ length: MANY }, (_, index) => String(index));
    const say = (ref: string) => alice.send({ command: 'message', text: `${ref} ${LONG}`, ref });
    for (const ref of refs) say(ref);
    expect(await alice.next(isFullDisk)).toMatchObject({ code: 2 });
    alice.send({ command: 'status' });
    await alice.next('status');
    const lost = refs.filter((ref) => !confirmedBy(alice).includes(ref));
    expect(lost.length).toBeGreaterThan(0);
    disk.makeRoom();
    for (const ref of lost) say(ref);
    await expect.poll(() => heardBy(bob).length, { timeout: 50_000 }).toBe(MANY);
    // No more than once each, and those that were taken first come first.
    expect(new Set(heardBy(bob)).size).toBe(MANY);
    expect(heardBy(bob).map((text) => text.split(' ')[0])).toEqual(confirmedBy(alice));
  });

  it('keeps an offer waiting that does not fit, and the transfer is made when there is room', async () => {
    const disk = homeOnDisk('bob');
    const { alice, bob } = await pair.meet('--no-port-mapping');
    const tree: Record<string, string> = {};
    for (let count = 0; count < 600; count += 1) tree[`tree/${String(count).padStart(240, 'n')}`] = String(count);
    plant(pair.folder, tree);
    disk.fill();
    for (let count = 0; count < MANY; count += 1) alice.send({ command: 'message', text: LONG });
    alice.send({ command: 'send', paths: [pair.path('tree')] });
    await bob.next(isFullDisk);
    expect(bob.events.filter(({ event }) => event === 'offer')).toEqual([]);
    disk.makeRoom();
    const { transfer } = await bob.next('offer', 50_000);
    bob.send({ command: 'accept', transfer, into: pair.path('into') });
    await bothTransferred(String(transfer), alice, bob);
    expect(readdirSync(pair.path('into/tree'))).toHaveLength(600);
  });
});

describe.skipIf(!canMount)('a read-only disk (needs root, to mount one)', () => {
  it('under a home is said at the start, ends with 2, and harms nothing', async () => {
    const disk = homeOnDisk('alice');
    const first = await pair.meet('--no-port-mapping');
    first.alice.send({ command: 'message', text: 'before' });
    await first.alice.next('delivered');
    first.alice.send({ command: 'quit' });
    await first.alice.exited;
    disk.makeReadOnly();
    const refused = pair.startPeer('alice');
    expect(await refused.exited).toEqual({ code: 2, signal: null });
    expect(refused.stderr).toMatch(/cannot be|read-only/);
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    disk.makeWritable();
    const again = pair.startPeer('alice');
    again.send({ command: 'message', text: 'after' });
    await again.next('delivered');
    expect(heardBy(first.bob)).toEqual(['before', 'after']);
  });

  it('under the download folder is said, and the transfer begins when it can be written to', async () => {
    const disk = new Disk(16 * MIB);
    const { alice, bob } = await pair.meet('--no-port-mapping');
    plant(pair.folder, { big: noise(4 * MIB) });
    const transfer = await offer(alice, bob, pair.path('big'));
    disk.makeReadOnly();
    bob.send({ command: 'accept', transfer, into: disk.path });
    expect(await bob.next(isReadOnlyDisk)).toMatchObject({ code: 7, transfer });
    disk.makeWritable();
    await bothTransferred(transfer, alice, bob);
    expect(readdirSync(disk.path)).toEqual(['big']);
  });

  it('in the middle of a transfer is said, and it goes on where it stopped', async () => {
    const disk = new Disk(80 * MIB);
    const first = await pair.meet('--no-port-mapping', '--paths', 'relay');
    plant(pair.folder, { big: noise(64 * MIB) });
    const transfer = await offer(first.alice, first.bob, pair.path('big'));
    first.bob.send({ command: 'accept', transfer, into: disk.path });
    await first.bob.next(({ event, bytes }) => event === 'progress' && Number(bytes) > MIB);
    await first.bob.stop('SIGKILL');
    const [partial] = readdirSync(disk.path);
    expect(partial).toMatch(/^\./);
    disk.makeReadOnly();
    const bob = pair.startPeer('bob', '--no-port-mapping', '--paths', 'relay');
    await bob.next(isReadOnlyDisk);
    expect(readdirSync(disk.path)).toEqual([partial]);
    disk.makeWritable();
    await bothTransferred(transfer, first.alice, bob);
    expect(readdirSync(disk.path)).toEqual(['big']);
    expect(sha256(readFileSync(join(disk.path, 'big')))).toBe(sha256(readFileSync(pair.path('big'))));
  });
});
