import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/protocol/errors.js';
import { loadOrCreateKey } from '../../src/server/own-key.js';
import { privatePem, publicPem } from '../support/keys.js';
import { identity, scratchFolder } from './fixture.js';

const warnings: string[] = [];
const warn = (text: string) => warnings.push(text);

describe('a key file that is missing', () => {
  test('is made with its folder, for this user alone, and is the same at the next start', async () => {
    const folder = join(await scratchFolder(), 'deep', 'er');
    const file = join(folder, 'key.pem');
    const made = await loadOrCreateKey({ file, warn });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(made.key.asymmetricKeyDetails?.modulusLength).toBe(3072);
    expect(await readdir(folder)).toEqual(['key.pem']);
    expect((await loadOrCreateKey({ file, warn })).id).toBe(made.id);
    expect(warnings).toEqual([]);
  });

  test('is made once by two that start together', async () => {
    const folder = await scratchFolder();
    const file = join(folder, 'key.pem');
    const [one, other] = await Promise.all([loadOrCreateKey({ file, warn }), loadOrCreateKey({ file, warn })]);
    expect(one.id).toBe(other.id);
    expect(await readdir(folder)).toEqual(['key.pem']);
  });
});

describe('a key file that is there', () => {
  test('is used as it is, and warned of if others may read it', async () => {
    const file = join(await scratchFolder(), 'key.pem');
    await writeFile(file, privatePem(identity(0).privateKey), { mode: 0o600 });
    warnings.length = 0;
    expect((await loadOrCreateKey({ file, warn })).id).toBe(identity(0).id);
    expect(warnings).toEqual([]);
    await chmod(file, 0o644);
    await loadOrCreateKey({ file, warn });
    expect(warnings).toEqual([expect.stringContaining(`chmod 600 ${file}`)]);
  });

  test('and encrypted opens with its passphrase alone', async () => {
    const file = join(await scratchFolder(), 'key.pem');
    const { privateKey, id } = identity(0);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'sesame' });
    await writeFile(file, pem, { mode: 0o600 });
    expect((await loadOrCreateKey({ file, passphrase: 'sesame', warn })).id).toBe(id);
    await expect(loadOrCreateKey({ file, warn })).rejects.toThrow(/encrypted, and no passphrase/);
    await expect(loadOrCreateKey({ file, passphrase: 'wrong', warn })).rejects.toThrow(/does not open/);
  });

  test.each([
    ['empty', '', /is empty/],
    ['cut', privatePem(identity(0).privateKey).slice(0, 300), /truncated/],
    ['public', publicPem(identity(0).privateKey), /a public key only/],
  ])('and %s is refused, with what to do, and left as it is', async (_, text, message) => {
    const file = join(await scratchFolder(), 'key.pem');
    await writeFile(file, text, { mode: 0o600 });
    const refused = await loadOrCreateKey({ file, warn }).catch((error) => error);
    expect(refused).toBeInstanceOf(UserError);
    expect(refused).toMatchObject({ exitCode: 2, message: expect.stringMatching(message) });
    expect(refused.hint).not.toBe('');
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  test('or cannot be, since its place is a folder or below a file, is refused', async () => {
    const folder = await scratchFolder();
    await writeFile(join(folder, 'file'), '');
    for (const file of [folder, join(folder, 'file', 'key.pem')]) {
      await expect(loadOrCreateKey({ file, warn })).rejects.toBeInstanceOf(UserError);
    }
  });

  test.runIf(existsSync('/proc/self'))('or cannot be, since its folder takes none, is refused at once', async () => {
    await expect(loadOrCreateKey({ file: '/proc/turbo-beep/key.pem', warn })).rejects.toBeInstanceOf(UserError);
  });
});
