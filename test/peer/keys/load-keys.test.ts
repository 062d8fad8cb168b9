import { chmodSync, lstatSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  checkPeerKey,
  identifyOwnKeys,
  loadAnyKey,
  loadOwnKeys,
  loadPeerKey,
  readPassphraseFile,
} from '../../../src/peer/keys/load-keys.js';
import { temporaryFolders } from '../../support/folder.js';
import { newIdentity, newRsaKey, privatePem, publicPem } from '../../support/keys.js';
import { asNobody } from '../files/helpers/nobody.js';

const temporaryFolder = temporaryFolders();
const { privateKey, id } = newIdentity();
const passphrase = 'open sesame';
const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
const silent = { passphrases: { prompt: null }, warn: () => {} };

let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});

function file(content: string, mode = 0o600): string {
  const path = join(folder, 'key.pem');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function answers(...given: string[]) {
  return vi.fn(async () => given.shift() ?? 'no more');
}

describe('our own key pair', () => {
  test('is loaded from its file', async () => {
    const identity = await loadOwnKeys(file(privatePem(privateKey)), silent);
    expect(identity.id).toBe(id);
    expect(identity.privateKey.type).toBe('private');
  });

  test.each([
    ['empty', '', /key\.pem cannot be used: the file is empty/],
    ['truncated', privatePem(privateKey).slice(0, 700), /truncated/],
    ['public-only', publicPem(privateKey), /a public key only/],
    ['too small', privatePem(newRsaKey(1024)), /1024 bits; at least 2048/],
    ['no key', 'hello', /no private key/],
    ['too large to be a key', 'x'.repeat(300_000), /too large/],
  ])('that is %s is a user error with a hint', async (_, content, message) => {
    const loading = loadOwnKeys(file(content), silent);
    await expect(loading).rejects.toMatchObject({ name: 'UserError', exitCode: 2, hint: expect.stringMatching(/\w/) });
    await expect(loading).rejects.toThrow(message);
  });

  test.each([
    ['missing', () => join(folder, 'none.pem'), 'is not there'],
    ['under a file', () => join(file(''), 'key.pem'), 'is not there'],
    ['a folder', () => folder, 'is a folder'],
    ['a loop', loop, 'cannot be read'],
  ])('whose path is %s is a user error', async (_, path, message) => {
    await expect(loadOwnKeys(path(), silent)).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
    await expect(loadOwnKeys(path(), silent)).rejects.toThrow(message);
  });

  test('that is a folder names the key pair that keygen makes in one, and a peer’s the public key', async () => {
    const hint = (name: string) => ({ hint: `Name the file in it, such as ${join(folder, name)}.` });
    await expect(loadOwnKeys(folder, silent)).rejects.toMatchObject(hint('mykeypair.pem'));
    await expect(loadPeerKey(folder)).rejects.toMatchObject(hint('public.pem'));
  });

  test.skipIf(!asNobody.possible)(
    `that may not be read says so${asNobody.possible ? '' : ' (skipped: Windows)'}`,
    async () => {
      const path = file('', 0o000);
      chmodSync(folder, 0o755);
      await asNobody.run(async () => {
        await expect(loadOwnKeys(path, silent)).rejects.toThrow('may not be read by you');
      });
    },
  );

  test.each([0o640, 0o604, 0o620, 0o644])('with mode %o is warned of, and used', async (mode) => {
    const warn = vi.fn();
    const path = file(privatePem(privateKey), mode);
    expect((await loadOwnKeys(path, { ...silent, warn })).id).toBe(id);
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining(`chmod 600 ${path}`));
  });

  test('that is private is not warned of', async () => {
    const warn = vi.fn();
    await loadOwnKeys(file(privatePem(privateKey)), { ...silent, warn });
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('a passphrase', () => {
  test('comes from a file before it comes from the environment, and from there before anyone is asked', async () => {
    const path = file(encrypted);
    const passphraseFile = join(folder, 'passphrase');
    writeFileSync(passphraseFile, `${passphrase}\r\nsecond line\n`);
    const prompt = answers();
    const load = (passphrases: object) => loadOwnKeys(path, { ...silent, passphrases: { prompt, ...passphrases } });
    expect((await load({ file: passphraseFile, environment: 'wrong' })).id).toBe(id);
    expect((await load({ environment: passphrase })).id).toBe(id);
    expect(prompt).not.toHaveBeenCalled();
  });

  test('is asked for where there is a terminal, three times at most', async () => {
    const path = file(encrypted);
    const second = answers('wrong', passphrase);
    expect((await loadOwnKeys(path, { ...silent, passphrases: { prompt: second } })).id).toBe(id);
    expect(second).toHaveBeenCalledTimes(2);
    expect(second).toHaveBeenCalledWith(expect.stringContaining(path));

    const never = answers('a', 'b', 'c', passphrase);
    const loading = loadOwnKeys(path, { ...silent, passphrases: { prompt: never } });
    await expect(loading).rejects.toThrow('does not open the private key');
    expect(never).toHaveBeenCalledTimes(3);
  });

  test('is not asked for if the key has none', async () => {
    const prompt = answers();
    await loadOwnKeys(file(privatePem(privateKey)), { ...silent, passphrases: { prompt } });
    expect(prompt).not.toHaveBeenCalled();
  });

  test('that is missing or wrong, without a terminal, is a user error that says where it may come from', async () => {
    await expect(loadOwnKeys(file(encrypted), silent)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('no passphrase was given'),
      hint: expect.stringContaining('TURBO_BEEP_PASSPHRASE'),
    });
    const wrong = { ...silent, passphrases: { environment: 'wrong', prompt: answers(passphrase) } };
    await expect(loadOwnKeys(file(encrypted), wrong)).rejects.toThrow('does not open the private key');
  });

  test('file ends its line as any system does, and may begin with the mark of an editor', () => {
    for (const text of ['secret', 'secret\nmore\n', 'secret\r\n', '\uFEFFsecret\n']) {
      expect(readPassphraseFile(file(text))).toBe('secret');
    }
  });

  test('file that is a folder is a user error that asks for no key', () => {
    expect(() => readPassphraseFile(folder)).toThrow(
      expect.objectContaining({ hint: 'Name a file whose first line is the passphrase.' }),
    );
  });

  test('file without a first line is a user error', () => {
    expect(() => readPassphraseFile(file('\nsecret'))).toThrow('has no first line');
    expect(() => readPassphraseFile(join(folder, 'none'))).toThrow('the passphrase file');
  });
});

test('who our encrypted key pair is, is told by its public block without a passphrase, if there is one', async () => {
  expect((await identifyOwnKeys(file(encrypted + publicPem(privateKey)), silent)).id).toBe(id);
  await expect(identifyOwnKeys(file(encrypted), silent)).rejects.toThrow('no passphrase was given');
  await expect(identifyOwnKeys(file(publicPem(privateKey)), silent)).rejects.toThrow('a public key only');
  const passphrases = { prompt: null, environment: 'wrong' };
  const path = file(encrypted + publicPem(privateKey));
  await expect(identifyOwnKeys(path, { ...silent, passphrases })).rejects.toThrow('does not open the private key');
});

describe('a peer key', () => {
  test('is loaded from a public file, or from one with a private block in front', async () => {
    expect((await loadPeerKey(file(publicPem(privateKey)))).id).toBe(id);
    expect((await loadPeerKey(file(privatePem(privateKey) + publicPem(privateKey)))).id).toBe(id);
  });

  test('that is private alone is refused, and called the peer key', async () => {
    await expect(loadPeerKey(file(privatePem(privateKey)))).rejects.toThrow(
      /^the peer key .*a private key and no public/,
    );
  });

  test('that is our own is refused, and beside its private key warned of', async () => {
    const warnings: string[] = [];
    const check = async (ownId: string, text: string) =>
      checkPeerKey({ id: ownId }, await loadPeerKey(file(text)), (warning) => warnings.push(warning));
    const both = privatePem(privateKey) + publicPem(privateKey);
    await expect(check(id, both)).rejects.toMatchObject({ exitCode: 2 });
    await check('f'.repeat(64), publicPem(privateKey));
    expect(warnings).toEqual([]);
    await check('f'.repeat(64), both);
    expect(warnings).toEqual([expect.stringContaining('holds a private key')]);
  });
});

test('any key file tells its id: public, private alone, and encrypted with a public block', async () => {
  for (const text of [publicPem(privateKey), privatePem(privateKey), encrypted + publicPem(privateKey)]) {
    expect((await loadAnyKey(file(text), 'the key file', silent.passphrases)).id).toBe(id);
  }
});

function loop(): string {
  const path = join(folder, 'loop.pem');
  if (!lstatSync(path, { throwIfNoEntry: false })) symlinkSync(path, path);
  return path;
}
