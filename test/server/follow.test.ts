import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { declareSuccession } from '../../src/protocol/succession.js';
import { revoke } from '../../src/server/revoke.js';
import { RefusedByMediator, registerWith } from '../support/mediator-client.js';
import { ownTime } from '../support/own-time.js';
import { identity, type RunningMediator, scratchFolder, startMediator } from './fixture.js';

const [ann, bob, newAnn, newerAnn, thief] = [identity(0), identity(1), identity(2), identity(3), identity(4)];
const follow = { followSuccessions: true };

/** What the mediator answers to `former`, who names `successor`. */
async function name({ port }: RunningMediator, former: typeof ann, successor: typeof ann): Promise<boolean> {
  const client = await registerWith({ port }, former, bob.id);
  await client.take('waiting');
  const { statement } = declareSuccession(former, successor, Date.now());
  client.send({ kind: 'succession', statement: statement.toString('hex') });
  const { admitted } = await client.take('succeeded');
  client.close();
  return admitted;
}

async function admits({ port }: RunningMediator, who: typeof ann): Promise<boolean> {
  try {
    (await registerWith({ port }, who, bob.id)).close();
    return true;
  } catch (error) {
    if (error instanceof RefusedByMediator) return false;
    throw error;
  }
}

describe('a mediator that follows successions', () => {
  test('admits a successor at once beside the key that named it, and the next one, also when started anew', async () => {
    const running = await startMediator([ann, bob], follow);
    expect(await admits(running, newAnn)).toBe(false);
    expect(await name(running, ann, newAnn)).toBe(true);
    expect(await name(running, newAnn, newerAnn)).toBe(true);
    expect(await name(running, ann, newAnn)).toBe(true);
    for (const each of [ann, newAnn, newerAnn]) expect(await admits(running, each)).toBe(true);
    const files = (await readdir(running.certs)).filter((file) => file.startsWith('succession-'));
    expect(files).toHaveLength(2);
    for (const file of files) expect((await stat(join(running.certs, file))).mode & 0o777).toBe(0o600);
    const again = await startMediator([], { certs: running.certs });
    expect(await admits(again, newerAnn)).toBe(true);
    for (const file of files) await rm(join(running.certs, file));
    await vi.waitUntil(async () => !(await admits(running, newAnn)), { timeout: 10_000 });
  });

  test('refuses both of two successors, and says so to its operator without naming anybody', async () => {
    const running = await startMediator([ann, bob], follow);
    expect(await name(running, ann, newAnn)).toBe(true);
    const rightful = await registerWith({ port: running.port }, newAnn, bob.id);
    expect(await name(running, ann, thief)).toBe(false);
    expect((await rightful.closed).map(({ kind }) => kind)).toEqual(['waiting', 'goodbye']);
    for (const each of [newAnn, thief]) expect(await admits(running, each)).toBe(false);
    expect(await name(running, ann, newAnn)).toBe(false);
    expect(await name(running, ann, newerAnn)).toBe(false);
    expect(await admits(running, ann)).toBe(true);
    const warnings = running.warnings.filter((text) => text.includes('another successor'));
    expect(warnings).toHaveLength(1);
    expect(warnings.join()).not.toMatch(/[0-9a-f]{16}/);
  });

  test('cuts off a peer that names a successor for somebody else, or sends what is no succession', async () => {
    const running = await startMediator([ann, bob], follow);
    const foreign = declareSuccession(bob, thief, 1).statement.toString('hex');
    for (const statement of [foreign, '', 'ab'.repeat(100)]) {
      const client = await registerWith({ port: running.port }, ann, bob.id);
      client.send({ kind: 'succession', statement });
      expect((await client.closed).map(({ kind }) => kind)).toEqual(['waiting']);
    }
    expect(await admits(running, thief)).toBe(false);
  });

  test('bars the successors of a revoked key for good, though their files be put there by hand later', async () => {
    const home = await scratchFolder();
    const running = await startMediator([ann, bob], { ...follow, home });
    await name(running, ann, newAnn);
    const rightful = await registerWith({ port: running.port }, newAnn, bob.id);
    const passedMs = ownTime();
    await revoke({ id: ann.id, undo: false, home });
    expect((await rightful.closed).at(-1)?.kind).toBe('goodbye');
    expect(passedMs()).toBeLessThan(1_000);
    const bare = newAnn.key.export({ type: 'spki', format: 'pem' });
    const again = await startMediator([bob], { home });
    await writeFile(join(again.certs, 'ann.pem'), bare);
    expect(await admits(again, newAnn)).toBe(false);
  });
});

test('a mediator that follows none says so, and cuts off who sends one all the same', async () => {
  const { port, certs } = await startMediator([ann, bob]);
  const client = await registerWith({ port }, ann, bob.id);
  client.send({ kind: 'succession', statement: declareSuccession(ann, newAnn, 1).statement.toString('hex') });
  expect((await client.closed).map(({ kind }) => kind)).toEqual(['waiting']);
  expect(await readdir(certs)).toHaveLength(2);
});
