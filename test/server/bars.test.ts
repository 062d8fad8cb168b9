import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/protocol/errors.js';
import { Bars, barsFolder } from '../../src/server/bars.js';
import { revoke } from '../../src/server/revoke.js';
import { scratchFolder } from './fixture.js';

const id = 'ab'.repeat(32);
const successor = 'cd'.repeat(32);

async function preparedHome(): Promise<{ home: string; bars: Bars }> {
  const home = join(await scratchFolder(), 'home');
  const bars = new Bars(home, () => {});
  bars.prepare();
  return { home, bars };
}

describe('a bar', () => {
  test('that is set is seen at the next look, and lies in a file of its own that only its owner reads', async () => {
    const { home, bars } = await preparedHome();
    expect(await bars.look()).toBe(false);
    expect(await revoke({ id, undo: false, home })).toContain(`Revoked ${id}`);
    expect(await bars.look()).toBe(true);
    expect(await bars.look()).toBe(false);
    expect(bars.has(id)).toBe(true);
    expect(await readdir(barsFolder(home))).toEqual([id]);
    expect((await stat(join(barsFolder(home), id))).mode & 0o777).toBe(0o600);
    expect((await stat(barsFolder(home))).mode & 0o777).toBe(0o700);
  });

  test('set twice is one, and of a successor keeps its own reason', async () => {
    const { home, bars } = await preparedHome();
    await bars.add({ id: successor, because: id });
    for (let time = 0; time < 2; time += 1) await revoke({ id: successor, undo: false, home });
    expect(await readFile(join(barsFolder(home), successor), 'utf8')).toContain(`successor of ${id}`);
  });

  test('is lifted together with those of the successors that it reached, and with no other', async () => {
    const { home, bars } = await preparedHome();
    const other = 'ef'.repeat(32);
    for (const each of [id, other]) await revoke({ id: each, undo: false, home });
    await bars.add({ id: successor, because: id });
    expect(await revoke({ id, undo: true, home })).toContain(successor);
    await bars.look();
    expect(bars.all()).toEqual([{ id: other, because: null }]);
    await expect(revoke({ id, undo: true, home })).rejects.toThrow('this key is not revoked');
  });

  test('stays when its folder cannot be read for a while', async () => {
    const { home, bars } = await preparedHome();
    await revoke({ id, undo: false, home });
    await bars.look();
    const warnings: string[] = [];
    const broken = join(await scratchFolder(), 'home');
    await mkdir(broken);
    await writeFile(barsFolder(broken), 'a file in the way');
    const blind = new Bars(broken, (text) => warnings.push(text));
    await blind.add({ id, because: null });
    expect(await blind.look()).toBe(false);
    expect(await blind.look()).toBe(false);
    expect(blind.has(id)).toBe(true);
    expect(warnings.filter((text) => text.includes('cannot be read'))).toHaveLength(1);
  });
});

test('bars that are there and cannot be read let no mediator start, for it would admit whom they bar', async () => {
  const home = join(await scratchFolder(), 'home');
  await mkdir(home);
  await symlink('revoked', barsFolder(home));
  expect(() => new Bars(home, () => {}).prepare()).toThrow(/the revoked keys in .* cannot be read/);
});

test('a home that cannot be looked at is not said to be none', async () => {
  const home = await scratchFolder();
  await symlink('revoked', barsFolder(home));
  await expect(revoke({ id, undo: false, home })).rejects.toThrow(/cannot be looked at/);
});

test('a home that no mediator has run with is an error, and is not made', async () => {
  const folder = await scratchFolder();
  const failure = revoke({ id, undo: false, home: join(folder, 'typo') });
  await expect(failure).rejects.toThrow(UserError);
  await expect(failure).rejects.toThrow(/no mediator has run with the home/);
  expect(await readdir(folder)).toEqual([]);
});
