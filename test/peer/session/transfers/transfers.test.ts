import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { UserError } from '../../../../src/protocol/errors.js';
import { ownTime } from '../../../support/own-time.js';
import { openFiles } from '../../files/helpers/open-files.js';
import { type Person, Talk, TwoSessions } from '../two-sessions.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const WAITING = { timeout: 10_000, interval: 5 };

let both: TwoSessions;
let small: Person;
let great: Person;
beforeEach(() => {
  both = new TwoSessions();
  small = both.small;
  great = both.great;
});
afterEach(() => both.stop());

function source(person: Person, name: string, content: Buffer | string): string {
  const path = join(person.folder, name);
  writeFileSync(path, content);
  return path;
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Offers, and accepts at the other side as soon as the offer is there. */
async function sendTo(receiver: Person, sender: Person, paths: string[]): Promise<string> {
  const transfer = await sender.session.send(paths);
  await receiver.event('offer', (offer) => offer.transfer === transfer);
  await receiver.session.accept(transfer);
  return transfer;
}

function transferred(person: Person, transfer: string) {
  return person.event('transferred', (event) => event.transfer === transfer);
}

/** What is left in the folder, names of temporary files included. */
function received(person: Person): string[] {
  return readdirSync(person.into).sort();
}

function expectSame(person: Person, name: string, content: Buffer): void {
  expect(sha256(readFileSync(join(person.into, name)))).toBe(sha256(content));
}

describe('a transfer', () => {
  it('is offered, accepted, shown on its way, verified and told to both', async () => {
    await both.link();
    const content = randomBytes(3 * MIB + 17);
    const path = source(small, 'picture.png', content);
    chmodSync(path, 0o640);
    utimesSync(path, 1_600_000_000, 1_600_000_000);
    const transfer = await small.session.send([path]);
    const files = [{ name: 'picture.png', size: content.length }];
    expect(small.all('offered')).toEqual([{ event: 'offered', transfer, files }]);
    expect(await great.event('offer')).toEqual({ event: 'offer', transfer, files });
    await great.session.accept(transfer);
    await Promise.all([transferred(small, transfer), transferred(great, transfer)]);

    expect(small.all('accepted')).toEqual([{ event: 'accepted', transfer, into: null }]);
    expect(great.all('accepted')).toEqual([{ event: 'accepted', transfer, into: great.into }]);
    const local = join(great.into, 'picture.png');
    expect(great.all('file')).toEqual([
      { event: 'file', transfer, name: 'picture.png', path: local, bytes: content.length, sha256: sha256(content) },
    ]);
    for (const person of [small, great]) {
      const last = person.all('progress').at(-1);
      expect(last).toMatchObject({ transfer, name: 'picture.png', bytes: content.length, total: content.length });
      expect(person.session.status('waiting').transfers).toEqual([]);
    }
    expect(statSync(local).mode & 0o777).toBe(0o640);
    expect(Math.round(statSync(local).mtimeMs)).toBe(1_600_000_000_000);
    expect(received(great)).toEqual(['picture.png']);
  });

  it('goes into the folder that is named, made for it', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one'), source(small, 'b', '')]);
    await great.event('offer');
    const into = join(great.folder, 'deep', 'down');
    await great.session.accept(transfer, into);
    await transferred(great, transfer);
    expect(readdirSync(into).sort()).toEqual(['a', 'b']);
  });

  it('carries folders, empty ones too, and many small files, and a message does not wait for their end', async () => {
    await both.link();
    const top = join(small.folder, 'top');
    mkdirSync(join(top, 'empty', 'emptier'), { recursive: true });
    for (let at = 0; at < 600; at++) writeFileSync(join(top, `file ${at}`), at % 2 === 0 ? '' : `content ${at}`);
    const transfer = await sendTo(great, small, [top]);
    await great.event('file');
    small.session.message('in between');
    await great.event('message');
    expect(great.all('transferred')).toEqual([]);
    await transferred(great, transfer);
    expect(readdirSync(join(great.into, 'top', 'empty'))).toEqual(['emptier']);
    expect(readdirSync(join(great.into, 'top'))).toHaveLength(601);
    expect(readFileSync(join(great.into, 'top', 'file 599'), 'utf8')).toBe('content 599');
    expect(great.all('file')).toHaveLength(600);
    for (const { bytes, total } of [...small.all('progress'), ...great.all('progress')]) {
      expect(bytes).toBeLessThanOrEqual(total);
    }
  });

  it('overwrites nothing', async () => {
    await both.link();
    writeFileSync(join(great.into, 'taken'), 'mine');
    await transferred(great, await sendTo(great, small, [source(small, 'taken', 'theirs')]));
    expect(readFileSync(join(great.into, 'taken'), 'utf8')).toBe('mine');
    expect(readFileSync(join(great.into, 'taken (1)'), 'utf8')).toBe('theirs');
  });

  it('offered twice with one ref is one', async () => {
    const path = source(small, 'a', 'one');
    const transfer = await small.session.send([path], 'ref');
    expect(await small.session.send([path], 'ref')).toBe(transfer);
    await small.restart();
    expect(await small.session.send([path], 'ref')).toBe(transfer);
    await both.link();
    await great.event('offer');
    small.session.message('that was all');
    await great.event('message');
    expect(great.all('offer')).toHaveLength(1);
    const offered = { event: 'offered', transfer, files: [{ name: 'a', size: 3 }], ref: 'ref' };
    expect(small.all('offered')).toEqual([offered, { ...offered, replayed: true }]);
  });

  it.each(['transferred', 'declined', 'cancelled'] as const)(
    'whose ref is repeated after a restart is said to be %s, also when its files are gone',
    async (end) => {
      await both.link();
      const path = source(small, 'a', 'one');
      const transfer = await small.session.send([path], 'ref');
      await great.event('offer');
      if (end === 'transferred') await great.session.accept(transfer);
      else if (end === 'declined') great.session.decline(transfer);
      else small.session.cancel(transfer);
      await small.event(end);
      await small.restart();
      rmSync(path);
      expect(await small.session.send([path], 'ref')).toBe(transfer);
      const by = end === 'cancelled' ? { by: 'me' } : {};
      expect(small.events.slice(-2)).toEqual([
        { event: 'offered', transfer, files: [], ref: 'ref', replayed: true },
        { event: end, transfer, ...by },
      ]);
    },
  );

  it('of what is not there is not offered', async () => {
    await expect(small.session.send([join(small.folder, 'missing')])).rejects.toThrow(UserError);
    expect(small.events).toEqual([]);
    expect(small.journal.outboxSize()).toBe(0);
  });

  it('unknown to the session can be neither accepted, nor declined, nor cancelled', async () => {
    await expect(small.session.accept('00'.repeat(16))).rejects.toThrow(UserError);
    expect(() => small.session.decline('00'.repeat(16))).toThrow(UserError);
    expect(() => small.session.cancel('00'.repeat(16))).toThrow(UserError);
  });

  it('is shown in the status as it was in the offer, to both and after a restart', async () => {
    await both.link();
    mkdirSync(join(small.folder, 'trip', 'day 1'), { recursive: true });
    source(small, 'trip/day 1/photo', 'one');
    source(small, 'trip/notes', 'two');
    await small.session.send([join(small.folder, 'trip')]);
    await great.event('offer');
    await small.restart();
    const shown = { name: 'trip/day 1/photo', files: 2, total: 6 };
    for (const { session } of [small, great])
      expect(session.status('waiting').transfers).toEqual([expect.objectContaining(shown)]);
  });

  it('says once what of a folder is left out, and names a few', async () => {
    mkdirSync(join(small.folder, 'trip'));
    for (const name of 'abcdefg') symlinkSync('/dev/null', join(small.folder, 'trip', name));
    const transfer = await small.session.send([join(small.folder, 'trip')]);
    const message = 'left out: "trip/a", "trip/b", "trip/c", "trip/d", "trip/e" and 2 more';
    expect(small.events.filter(({ event }) => event === 'error')).toEqual([
      expect.objectContaining({ code: 2, message, transfer }),
    ]);
  });

  it('is shown in the status while it lasts', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one')]);
    await great.event('offer');
    const common = { transfer, state: 'offered', files: 1, total: 3 };
    expect(small.session.status('waiting').transfers).toEqual([
      expect.objectContaining({ ...common, direction: 'send', name: 'a' }),
    ]);
    expect(great.session.status('waiting').transfers).toEqual([
      expect.objectContaining({ ...common, direction: 'receive', name: 'a' }),
    ]);
  });

  it('may be many that are accepted at once: the person is shown no warning of the runtime', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    onTestFinished(() => void process.off('warning', note));
    await both.link();
    const names = Array.from({ length: 20 }, (_, index) => `file ${index}`);
    const transfers = await Promise.all(names.map((name) => small.session.send([source(small, name, name)])));
    await great.until(() => great.all('offer').length === names.length);
    await Promise.all(transfers.map((transfer) => great.session.accept(transfer)));
    await Promise.all(transfers.map((transfer) => transferred(great, transfer)));
    expect(warnings).toEqual([]);
  });
});

describe('links that break and move', () => {
  it('cost transfers both ways at once nothing but time, wherever they are cut', async () => {
    const contents = { small: randomBytes(2 * MIB), great: randomBytes(2 * MIB) };
    let carries = 300 * KIB;
    let links = 0;
    both.mendAutomatically(() => {
      carries += 60 * KIB + 7;
      links += 1;
      return { carries };
    });
    const fromSmall = await small.session.send([source(small, 'from small', contents.small)]);
    const fromGreat = await great.session.send([source(great, 'from great', contents.great)]);
    await both.link({ carries });
    await Promise.all([great.event('offer'), small.event('offer')]);
    await Promise.all([great.session.accept(fromSmall), small.session.accept(fromGreat)]);
    const talk = new Talk(both);
    talk.say(3);
    await Promise.all([fromSmall, fromGreat].flatMap((id) => [transferred(small, id), transferred(great, id)]));
    expect(links).toBeGreaterThan(4);
    expectSame(great, 'from small', contents.small);
    expectSame(small, 'from great', contents.great);
    both.mendAutomatically();
    if (!small.session.active) await both.link();
    await talk.end();
    expect([...received(small), ...received(great)]).toEqual(['from great', 'from small']);
    expect([...small.all('file'), ...great.all('file')]).toHaveLength(2);
  });

  it('from path to path go on where they were', async () => {
    const content = randomBytes(24 * MIB);
    await both.link({ path: 'relay', generation: 1, bytesPerMs: 8_000 });
    const transfer = await sendTo(great, small, [source(small, 'big', content)]);
    let carried = 0;
    for (const path of ['udp-punch', 'tcp-punch', 'tcp-direct'] as const) {
      const progress = great.all('progress').length;
      await great.until(() => great.all('progress').length > progress);
      const wire = await both.link({ path, generation: 1, bytesPerMs: path === 'tcp-direct' ? undefined : 8_000 });
      wire.closed.then(() => {
        carried += wire.carried;
      });
    }
    await transferred(small, transfer);
    expectSame(great, 'big', content);
    expect(great.all('path').map(({ path }) => path)).toEqual(['udp-punch', 'tcp-punch', 'tcp-direct']);
    expect(carried).toBeLessThan(1.5 * content.length);
  });
});

describe('restarts', () => {
  it('of both go on from what is on the disk, and not from the beginning', async () => {
    const content = randomBytes(8 * MIB);
    const first = await both.link({ carries: 5 * MIB });
    const transfer = await sendTo(great, small, [source(small, 'big', content)]);
    await first.closed;
    await Promise.all([small.crash(), great.crash()]);
    const second = await both.link();
    await Promise.all([transferred(small, transfer), transferred(great, transfer)]);
    expectSame(great, 'big', content);
    expect(received(great)).toEqual(['big']);
    expect(second.carried).toBeLessThan(8 * MIB);
    expect(great.all('accepted')).toHaveLength(1);
  });

  it('do not trust what lies there for its length: what differs is sent again', async () => {
    const content = randomBytes(4 * MIB);
    const first = await both.link({ carries: 3 * MIB });
    const transfer = await sendTo(great, small, [source(small, 'big', content)]);
    await first.closed;
    await great.restart();
    const [temporary = ''] = received(great);
    const partial = readFileSync(join(great.into, temporary));
    partial[MIB] = (partial[MIB] ?? 0) ^ 1;
    writeFileSync(join(great.into, temporary), partial);
    await both.link();
    await transferred(great, transfer);
    expectSame(great, 'big', content);
  });

  it.runIf(openFiles.known)('do not keep whoever leaves while what is there is being read', async () => {
    const path = source(small, 'holes', '');
    truncateSync(path, 4 * 1024 * MIB);
    const first = await both.link({ carries: 2 * MIB });
    await sendTo(great, small, [path]);
    await first.closed;
    await great.restart();
    const [temporary = ''] = received(great);
    truncateSync(join(great.into, temporary), 4 * 1024 * MIB - 1);
    great.session.prepare();
    await vi.waitFor(() => expect(openFiles.below(great.into)).toContain(join(great.into, temporary)), WAITING);
    const passedMs = ownTime();
    await great.session.close();
    expect(passedMs()).toBeLessThan(1_500);
  });

  it('tell again the offers that nobody has answered', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one')]);
    await great.event('offer');
    await great.crash();
    const [first, second] = great.all('offer');
    expect(second).toEqual({ ...first, replayed: true });
    await both.link();
    await great.session.accept(transfer);
    await transferred(small, transfer);
  });

  it('of either, at any moment, lose nothing', async () => {
    both.mendAutomatically();
    const contents = { small: randomBytes(6 * MIB), great: randomBytes(6 * MIB) };
    await both.link();
    const fromSmall = await sendTo(great, small, [source(small, 'from small', contents.small)]);
    const fromGreat = await sendTo(small, great, [source(great, 'from great', contents.great)]);
    for (let round = 0; round < 6; round++) {
      const person = round % 2 === 0 ? small : great;
      const until = person.events.length + 1 + (round % 3);
      const isOver = () => person.all('transferred').length === 2;
      await person.until(() => person.events.length >= until || isOver());
      await person.crash();
      await both.link({ bytesPerMs: 40_000 });
    }
    await Promise.all([fromSmall, fromGreat].flatMap((id) => [transferred(small, id), transferred(great, id)]));
    expectSame(great, 'from small', contents.small);
    expectSame(small, 'from great', contents.great);
    expect([...received(small), ...received(great)]).toEqual(['from great', 'from small']);
  });

  it('do not matter between the acceptance and the first byte', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one')]);
    await great.event('offer');
    const accepted = great.session.accept(transfer);
    great.onEvent = ({ event }) => {
      if (event === 'accepted') small.session.active?.link.destroy(new Error('cut'));
    };
    await accepted;
    await great.crash();
    await small.crash();
    await both.link();
    await transferred(great, transfer);
  });
});

describe('accepting', () => {
  it('is over when the session has closed: nothing is made or written after that', async () => {
    await both.link();
    await small.session.send([source(small, 'a', 'one')]);
    const { transfer } = await great.event('offer');
    const into = join(great.folder, 'late');
    await small.session.close();
    await great.event('disconnected');
    const accepted = great.session.accept(transfer, into);
    await great.session.close();
    const made = existsSync(into);
    await accepted;
    expect(made).toBe(true);
    expect(great.all('accepted')).toHaveLength(1);
  });
});

describe('refusing', () => {
  it('an offer is told to its sender', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one')]);
    await great.event('offer');
    great.session.decline(transfer);
    expect(great.all('declined')).toEqual([{ event: 'declined', transfer }]);
    expect(await small.event('declined')).toEqual({ event: 'declined', transfer });
    expect(() => great.session.decline(transfer)).toThrow(UserError);
    await expect(great.session.accept(transfer)).rejects.toThrow(UserError);
  });

  it('is what acceptance does where there is no room for it, and the offer stays open', async () => {
    await both.link();
    const path = source(small, 'enormous', '');
    truncateSync(path, 8 * 1024 ** 4);
    const transfer = await small.session.send([path]);
    await great.event('offer');
    await expect(great.session.accept(transfer)).rejects.toThrow(UserError);
    expect(great.all('accepted')).toEqual([]);
    expect(great.session.status('waiting').transfers).toMatchObject([{ state: 'offered' }]);
    great.session.decline(transfer);
    await small.event('declined');
  });

  it('is what acceptance does where no folder can be made', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one')]);
    await great.event('offer');
    const file = source(great, 'no folder', '');
    await expect(great.session.accept(transfer, join(file, 'below'))).rejects.toThrow(UserError);
    await great.session.accept(transfer);
    await transferred(small, transfer);
  });
});

describe('cancelling', () => {
  const moments: [string, (canceller: Person) => Promise<unknown>][] = [
    ['before it is answered', async () => {}],
    ['as soon as it is accepted', (canceller) => canceller.event('accepted')],
    ['when the first of it has arrived', (canceller) => canceller.event('progress')],
    ['when some of it is in place', (canceller) => canceller.event('progress', ({ name }) => name === 'b')],
  ];
  const cases = moments.flatMap(([when, moment]) =>
    (['sender', 'receiver'] as const).map((who) => [who, when, moment] as const),
  );

  it.each(cases)('by the %s, %s, is told to both and leaves nothing half done', async (who, _, moment) => {
    await both.link({ bytesPerMs: 20_000 });
    const paths = ['a', 'b'].map((name) => source(small, name, randomBytes(4 * MIB)));
    const transfer = await small.session.send(paths);
    await great.event('offer');
    const [canceller, other] = who === 'sender' ? [small, great] : [great, small];
    const accepted = moment === moments[0]?.[1] ? null : great.session.accept(transfer);
    await moment(canceller);
    canceller.session.cancel(transfer);
    await accepted;
    expect(canceller.all('cancelled')).toEqual([{ event: 'cancelled', transfer, by: 'me' }]);
    expect(await other.event('cancelled')).toEqual({ event: 'cancelled', transfer, by: 'peer' });
    const talk = new Talk(both);
    talk.say(2);
    await talk.end();
    await great.session.close();
    expect(received(great).filter((name) => name !== 'a')).toEqual([]);
    for (const person of [small, great]) {
      expect(person.journal.transfers.unfinished()).toEqual([]);
      expect(person.all('transferred')).toEqual([]);
      expect(person.all('error')).toEqual([]);
    }
  });

  it('by both at the same time is cancelled by each', async () => {
    await both.link();
    const transfer = await small.session.send([source(small, 'a', 'one')]);
    await great.event('offer');
    small.session.cancel(transfer);
    great.session.cancel(transfer);
    small.session.message('done');
    great.session.message('done');
    await Promise.all([small, great].map((person) => person.event('message', ({ from }) => from === 'peer')));
    for (const person of [small, great])
      expect(person.all('cancelled')).toEqual([{ event: 'cancelled', transfer, by: 'me' }]);
  });

  it('while there is no link is told over the next one', async () => {
    const wire = await both.link({ bytesPerMs: 20_000 });
    const transfer = await sendTo(great, small, [source(small, 'a', randomBytes(8 * MIB))]);
    await great.event('progress');
    wire.cut();
    await small.event('disconnected');
    small.session.cancel(transfer);
    await both.link();
    await great.event('cancelled');
    await great.session.close();
    expect(received(great)).toEqual([]);
  });

  it('and leaving at once leaves no temporary file', async () => {
    await both.link({ bytesPerMs: 20_000 });
    const transfer = await sendTo(great, small, [source(small, 'a', randomBytes(8 * MIB))]);
    await great.event('progress');
    great.session.cancel(transfer);
    await great.session.close();
    expect(received(great)).toEqual([]);
  });

  it('what has arrived is too late', async () => {
    await both.link();
    const transfer = await sendTo(great, small, [source(small, 'a', 'one')]);
    await transferred(small, transfer);
    expect(() => small.session.cancel(transfer)).toThrow(UserError);
    expect(() => great.session.cancel(transfer)).toThrow(UserError);
  });
});

describe('trouble', () => {
  it('a source that changes after it was offered ends the transfer, with the reason told to both', async () => {
    await both.link();
    const path = source(small, 'a', 'what was offered');
    const transfer = await small.session.send([path]);
    await great.event('offer');
    writeFileSync(path, 'something else!!');
    utimesSync(path, 1, 1);
    await great.session.accept(transfer);
    expect((await small.event('error')).transfer).toBe(transfer);
    expect(await small.event('cancelled')).toMatchObject({
      transfer,
      by: 'me',
      reason: expect.stringContaining('changed'),
    });
    expect(await great.event('cancelled')).toMatchObject({
      transfer,
      by: 'peer',
      reason: expect.stringContaining('changed'),
    });
    await great.session.close();
    expect(received(great)).toEqual([]);
  });

  it('a source that is gone ends the transfer too', async () => {
    await both.link();
    const path = source(small, 'a', 'what was offered');
    const transfer = await small.session.send([path]);
    await great.event('offer');
    renameSync(path, `${path} elsewhere`);
    await great.session.accept(transfer);
    expect(await great.event('cancelled')).toMatchObject({ transfer, by: 'peer' });
  });

  it('a folder that is taken away is trouble; with the next try it is there again, and so is the file', async () => {
    await both.link({ bytesPerMs: 20_000 });
    const content = randomBytes(4 * MIB);
    const transfer = await sendTo(great, small, [source(small, 'a', content)]);
    await great.event('progress');
    rmSync(great.into, { recursive: true });
    expect(await great.event('error')).toMatchObject({ code: 7, transfer });
    // The next link tries again, as time would.
    both.mendAutomatically();
    small.session.active?.link.destroy(new Error('cut'));
    await transferred(small, transfer);
    expectSame(great, 'a', content);
    expect(received(great)).toEqual(['a']);
  });

  it('a thread that dies in the middle is trouble; the session lives, and the transfer goes on in another', async () => {
    await both.link({ bytesPerMs: 20_000 });
    const content = randomBytes(4 * MIB);
    const transfer = await small.session.send([source(small, 'a', content)]);
    const started = new Promise<Worker>((resolve) => process.once('worker', resolve));
    await great.event('offer');
    await great.session.accept(transfer);
    await great.event('progress');
    await (await started).terminate();
    expect(await great.event('error')).toMatchObject({ code: 7, transfer });
    const id = small.session.message('still there?');
    await small.event('delivered', (event) => event.id === id);
    both.mendAutomatically();
    small.session.active?.link.destroy(new Error('cut'));
    await transferred(small, transfer);
    expectSame(great, 'a', content);
    expect(received(great)).toEqual(['a']);
  });
});

describe('chat', () => {
  it('does not wait behind files, whichever way and however slow the path', async () => {
    const wire = await both.link({ bytesPerMs: 1_000 });
    const content = randomBytes(20 * MIB);
    await sendTo(great, small, [source(small, 'there', content)]);
    await sendTo(small, great, [source(great, 'back', content)]);
    await Promise.all([
      small.event('progress', ({ bytes }) => bytes > MIB),
      great.event('progress', ({ bytes }) => bytes > MIB),
    ]);
    const waited: number[] = [];
    for (let count = 0; count < 5; count++) {
      const before = wire.carried;
      small.session.message(`hello ${count}`);
      await great.event('message', ({ text }) => text === `hello ${count}`);
      great.session.message(`hello back ${count}`);
      await small.event('message', ({ text }) => text === `hello back ${count}`);
      waited.push(wire.carried - before);
    }
    // What passed meanwhile, both ways together: the window of this path, and not that of a fast one. The median, as
    // more passes while a disk that others use takes its time to sync the message.
    expect(waited.sort((a, b) => a - b)[2]).toBeLessThan(8 * MIB);
    expect([...small.all('transferred'), ...great.all('transferred')]).toEqual([]);
  });
});
