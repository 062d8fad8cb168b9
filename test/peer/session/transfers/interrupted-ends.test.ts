import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Person, TwoSessions } from '../two-sessions.js';

const MIB = 1024 * 1024;
const content = randomBytes(8 * MIB);

let both: TwoSessions;
let small: Person;
let great: Person;
beforeEach(() => {
  both = new TwoSessions();
  small = both.small;
  great = both.great;
});
afterEach(() => both.stop());

/** Accepted, and cut off when a part of it has come. */
async function beginTransfer(from = small, to = great): Promise<string> {
  const wire = await both.link({ carries: 4 * MIB });
  const path = join(from.folder, 'big');
  writeFileSync(path, content);
  const transfer = await from.session.send([path]);
  await to.event('offer');
  await to.session.accept(transfer);
  await wire.closed;
  await Promise.all([from, to].map((person) => person.event('disconnected')));
  return transfer;
}

describe('a cancelled transfer', () => {
  it('whose partial file a killed process had no time to remove loses it at the next start', async () => {
    const transfer = await beginTransfer();
    great.session.cancel(transfer);
    // At this moment it is cancelled in the journal, and nothing has been removed yet.
    expect(readdirSync(great.into)).toHaveLength(1);
    await great.crash();
    await expect
      .poll(() => great.journal.transfers.find(transfer))
      .toMatchObject({ state: 'finished', outcome: 'cancelled' });
    expect(readdirSync(great.into)).toEqual([]);
    expect(() => great.session.cancel(transfer)).toThrow('there is no transfer');
  });

  it('whose folder has gone meanwhile does not bring it back', async () => {
    const transfer = await beginTransfer();
    great.session.cancel(transfer);
    await great.crash();
    rmSync(great.into, { recursive: true, force: true });
    await expect.poll(() => great.journal.transfers.unfinished()).toEqual([]);
    expect(readdirSync(great.folder)).not.toContain('into');
  });
});

describe('an accepted transfer', () => {
  it('that the restored sender knows nothing of is told to be gone, and leaves nothing behind', async () => {
    small.backUp();
    const transfer = await beginTransfer();
    both.mendAutomatically();
    await small.restoreBackup();
    await both.link();
    expect(await great.event('cancelled')).toMatchObject({ transfer, by: 'peer', reason: expect.any(String) });
    await expect.poll(() => readdirSync(great.into)).toEqual([]);
    expect(great.session.status('waiting').transfers).toEqual([]);
  });

  it('that is over for the sender, and not for the restored receiver, is told to be gone', async () => {
    const transfer = await beginTransfer();
    great.backUp();
    await both.link();
    await small.event('transferred');
    await great.restoreBackup();
    await both.link();
    expect(await great.event('cancelled')).toMatchObject({ transfer, by: 'peer' });
    expect(readFileSync(join(great.into, 'big')).equals(content)).toBe(true);
  });

  it.each(['small', 'great'] as const)(
    'that the restored receiver (%s) knows nothing of is offered to it again',
    async (name) => {
      const [from, to] = name === 'small' ? [great, small] : [small, great];
      to.backUp();
      const transfer = await beginTransfer(from, to);
      both.mendAutomatically();
      await to.restoreBackup();
      await both.link();
      await to.until(() => to.all('offer').length === 2);
      expect(to.all('offer').map((each) => each.transfer)).toEqual([transfer, transfer]);
      await to.session.accept(transfer);
      await Promise.all([from, to].map((person) => person.event('transferred')));
      expect(readFileSync(join(to.into, 'big')).equals(content)).toBe(true);
    },
  );
});
