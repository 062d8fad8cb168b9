import { EventEmitter, once } from 'node:events';
import { appendFile, copyFile, mkdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UserError } from '../../src/protocol/errors.js';
import { Bars } from '../../src/server/bars.js';
import { Directory, type DirectoryChange } from '../../src/server/directory.js';
import { newRsaKey, privatePem, publicKeyOf, publicPem } from '../support/keys.js';
import { ownTime } from '../support/own-time.js';
import { identity, putKey, scratchFolder } from './fixture.js';

const [ann, bob, cat] = [identity(0), identity(1), identity(2)];
/** What the contract promises. */
const WITHIN_MS = 1_000;

/** A watched directory, with its changes and warnings as events. */
class Watched extends EventEmitter<{ change: [DirectoryChange]; warning: [string] }> {
  readonly warnings: string[] = [];
  readonly directory: Directory;

  constructor(root: string, demo = false) {
    super();
    this.directory = new Directory({
      root,
      bars: new Bars(join(root, '.home'), (text) => this.warnings.push(text)),
      demo,
      warn: (text) => {
        this.warnings.push(text);
        this.emit('warning', text);
      },
      onChange: (change) => this.emit('change', change),
    });
  }

  static async start(root: string, demo = false): Promise<Watched> {
    const watched = new Watched(root, demo);
    await watched.directory.read();
    watched.directory.watch();
    onTestFinished(() => watched.directory.stop());
    return watched;
  }

  /** The change that `act` leads to, in time. */
  async changeAfter(act: () => Promise<unknown>): Promise<DirectoryChange> {
    const changed = once(this, 'change', { signal: AbortSignal.timeout(10_000) }) as Promise<[DirectoryChange]>;
    await act();
    const passedMs = ownTime();
    const [change] = await changed;
    expect(passedMs()).toBeLessThan(WITHIN_MS);
    return change;
  }

  async nextWarning(): Promise<string> {
    const [warning] = await once(this, 'warning', { signal: AbortSignal.timeout(10_000) });
    return String(warning);
  }
}

describe('the keys', () => {
  test('of a folder are read at the start, at any depth, each key once', async () => {
    const root = await scratchFolder();
    await mkdir(join(root, 'friends/old'), { recursive: true });
    await putKey(root, 'ann', ann);
    await putKey(join(root, 'friends/old'), 'bob', bob);
    await putKey(root, 'bob-again', bob);
    const { directory, warnings } = await Watched.start(root);
    expect(directory.ids().sort()).toEqual([ann.id, bob.id].sort());
    expect(directory.keyOf(bob.id)?.equals(bob.key)).toBe(true);
    expect(directory.keyOf(cat.id)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test('that are added, moved in, replaced and removed count within a second', async () => {
    const root = await scratchFolder();
    const outside = await scratchFolder();
    await putKey(outside, 'cat', cat);
    const watched = await Watched.start(root);
    expect(await watched.changeAfter(() => putKey(root, 'ann', ann))).toEqual({ added: [ann.id], removed: [] });
    await mkdir(join(root, 'deep/er'), { recursive: true });
    const added = await watched.changeAfter(() => putKey(join(root, 'deep/er'), 'bob', bob));
    expect(added).toEqual({ added: [bob.id], removed: [] });
    const replaced = await watched.changeAfter(() => rename(join(outside, 'cat.pem'), join(root, 'ann.pem')));
    expect(replaced).toEqual({ added: [cat.id], removed: [ann.id] });
    const removed = await watched.changeAfter(() => rm(join(root, 'deep'), { recursive: true }));
    expect(removed).toEqual({ added: [], removed: [bob.id] });
    expect(watched.directory.ids()).toEqual([cat.id]);
  });

  test('stay when only the names of their files change, or one of two copies goes', async () => {
    const root = await scratchFolder();
    await putKey(root, 'ann', ann);
    await putKey(root, 'copy', ann);
    const watched = await Watched.start(root);
    await rename(join(root, 'ann.pem'), join(root, 'renamed.pem'));
    await rm(join(root, 'copy.pem'));
    const change = await watched.changeAfter(() => putKey(root, 'bob', bob));
    expect(change).toEqual({ added: [bob.id], removed: [] });
  });

  test('overwritten in place with one of the same size, at the same time of day, are noticed', async () => {
    const root = await scratchFolder();
    const file = join(root, 'ann.pem');
    await putKey(root, 'ann', ann);
    const long = new Date('2020-01-01');
    await utimes(file, long, long);
    const watched = await Watched.start(root);
    const change = await watched.changeAfter(async () => {
      await putKey(root, 'ann', bob);
      await utimes(file, long, long);
    });
    expect(change).toEqual({ added: [bob.id], removed: [ann.id] });
  });

  test('behind links are followed when the link is turned elsewhere, as secret mounts do', async () => {
    const root = await scratchFolder();
    const [before, after] = [await scratchFolder(), await scratchFolder()];
    await putKey(before, 'peer', ann);
    await putKey(after, 'peer', bob);
    await symlink(before, join(root, '..data'));
    await symlink(join('..data', 'peer.pem'), join(root, 'peer.pem'));
    const watched = await Watched.start(root);
    expect(watched.directory.ids()).toEqual([ann.id]);
    const change = await watched.changeAfter(async () => {
      await symlink(after, join(root, '..new'));
      await rename(join(root, '..new'), join(root, '..data'));
    });
    expect(change).toEqual({ added: [bob.id], removed: [ann.id] });
  });

  test('of a folder that vanishes are gone within a second, and back when it is', async () => {
    const parent = await scratchFolder();
    const root = join(parent, 'certs');
    await mkdir(root);
    await putKey(root, 'ann', ann);
    const watched = await Watched.start(root);
    const gone = await watched.changeAfter(() => rename(root, join(parent, 'away')));
    expect(gone).toEqual({ added: [], removed: [ann.id] });
    expect(watched.warnings).toEqual([`the directory of keys ${root} is gone; until it is back nobody is admitted`]);
    const back = await watched.changeAfter(() => rename(join(parent, 'away'), root));
    expect(back).toEqual({ added: [ann.id], removed: [] });
  });

  test('of a folder that is exchanged for another at once stay if they are in both', async () => {
    const parent = await scratchFolder();
    const [root, next] = [join(parent, 'certs'), join(parent, 'next')];
    for (const folder of [root, next]) {
      await mkdir(folder);
      await putKey(folder, 'ann', ann);
    }
    await putKey(next, 'bob', bob);
    const watched = await Watched.start(root);
    const change = await watched.changeAfter(async () => {
      await rename(root, join(parent, 'before'));
      await rename(next, root);
    });
    expect(change).toEqual({ added: [bob.id], removed: [] });
  });
});

describe('a file that is written slowly', () => {
  test('admits its key when it is whole, without a word before', async () => {
    const root = await scratchFolder();
    const watched = await Watched.start(root);
    const pem = publicPem(ann.privateKey);
    const file = join(root, 'ann.pem');
    await writeFile(file, pem.slice(0, 100));
    await watched.changeAfter(() => putKey(root, 'bob', bob));
    const change = await watched.changeAfter(() => appendFile(file, pem.slice(100)));
    expect(change).toEqual({ added: [ann.id], removed: [] });
    expect(watched.warnings).toEqual([]);
  });

  test('that emptied one with a key takes the key away within a second', async () => {
    const root = await scratchFolder();
    await putKey(root, 'ann', ann);
    const watched = await Watched.start(root);
    const change = await watched.changeAfter(() => truncate(join(root, 'ann.pem')));
    expect(change).toEqual({ added: [], removed: [ann.id] });
  });
});

test('files that admit nobody are each warned of, once, and the others count', async () => {
  const pair = newRsaKey();
  const bad: Record<string, [string, RegExp]> = {
    private: [privatePem(pair), /holds a private key/],
    both: [privatePem(pair) + publicPem(pair), /holds a private key/],
    empty: ['', /is empty/],
    text: ['hello', /no public key/],
    cut: [publicPem(pair).slice(0, 200), /truncated/],
    short: [publicPem(newRsaKey(1024)), /1024 bits/],
    exponent: [pemOf(publicKeyOf(modulus(), 1)), /unsafe public exponent/],
    large: [publicPem(pair).padEnd(100_000, '\n'), /too large/],
  };
  const root = await scratchFolder();
  await putKey(root, 'ann', ann);
  for (const [name, [text]] of Object.entries(bad)) await writeFile(join(root, `${name}.pem`), text);
  const watched = await Watched.start(root);
  while (watched.warnings.length < Object.keys(bad).length) await watched.nextWarning();
  await watched.changeAfter(() => putKey(root, 'bob', bob));
  await watched.changeAfter(() => rm(join(root, 'bob.pem')));

  expect(watched.warnings).toHaveLength(Object.keys(bad).length);
  for (const [name, [, warning]] of Object.entries(bad)) {
    expect(watched.warnings.find((text) => text.startsWith(join(root, `${name}.pem`)))).toMatch(warning);
  }
  expect(watched.directory.ids()).toEqual([ann.id]);
});

test('an example key is admitted with a warning, and in the demo without', async () => {
  const root = await scratchFolder();
  await copyFile(join(import.meta.dirname, '../../certs/directory/alice.pem'), join(root, 'alice.pem'));
  const [elsewhere, inDemo] = [await Watched.start(root), await Watched.start(root, true)];
  expect(elsewhere.warnings).toEqual([expect.stringMatching(/alice\.pem is an example key/)]);
  expect(inDemo.warnings).toEqual([]);
  expect([elsewhere.directory.size, inDemo.directory.size]).toEqual([1, 1]);
});

test('a folder that is not there, or is a file, is refused at the start', async () => {
  const root = await scratchFolder();
  await writeFile(join(root, 'file'), '');
  for (const [path, what] of [
    ['none', 'does not exist'],
    ['file', 'is not a directory'],
  ] as const) {
    const refused = new Watched(join(root, path)).directory.read();
    await expect(refused).rejects.toThrow(what);
    await expect(refused).rejects.toBeInstanceOf(UserError);
  }
});

test('thousands of keys are read, and a change among them counts within a second', async () => {
  const root = await scratchFolder();
  const count = 1500;
  const pems = Array.from({ length: count }, () => pemOf(publicKeyOf(modulus(), 65537)));
  for (let index = 0; index < count; index++) {
    const folder = join(root, String(index % 50));
    if (index < 50) await mkdir(folder);
    await writeFile(join(folder, `${index}.pem`), pems[index] ?? '');
  }
  const watched = await Watched.start(root);
  expect(watched.directory.size).toBe(count);
  // From here on the folders tell whether anything came or went, and each file is looked at every few seconds.
  await expect.poll(() => watched.directory.isSettled, { timeout: 10_000 }).toBe(true);
  const added = await watched.changeAfter(() => putKey(join(root, '7'), 'ann', ann));
  expect(added).toEqual({ added: [ann.id], removed: [] });
  const removed = await watched.changeAfter(() => rm(join(root, '7', 'ann.pem')));
  expect(removed).toEqual({ added: [], removed: [ann.id] });
  const file = join(root, '8', 'bob.pem');
  await watched.changeAfter(() => putKey(join(root, '8'), 'bob', bob));
  await expect.poll(() => watched.directory.isSettled, { timeout: 10_000 }).toBe(true);
  const replaced = once(watched, 'change', { signal: AbortSignal.timeout(10_000) });
  await writeFile(file, publicPem(cat.privateKey));
  expect(await replaced).toEqual([{ added: [cat.id], removed: [bob.id] }]);
});

test('after stopping it looks no more', async () => {
  const root = await scratchFolder();
  const [stopped, other] = [await Watched.start(root), await Watched.start(root)];
  await stopped.directory.stop();
  for (const [name, key] of Object.entries({ ann, bob })) await other.changeAfter(() => putKey(root, name, key));
  expect(stopped.directory.size).toBe(0);
});

function modulus(): Buffer {
  const bytes = crypto.getRandomValues(Buffer.alloc(256));
  bytes[0] = 0x80 | (bytes[0] ?? 0);
  bytes[255] = 1;
  return bytes;
}

function pemOf(key: ReturnType<typeof publicKeyOf>): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}
