import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { formerIds, formerKeyFile, formerKeysFolder, loadKeysSince } from '../../../src/peer/keys/former-keys.js';
import { loadOwnKeys } from '../../../src/peer/keys/load-keys.js';
import { isUnfinished, replaceKeyPair, writePublicFile } from '../../../src/peer/keys/rotation.js';
import type { Identity } from '../../../src/protocol/identity.js';
import { parsePublicPem } from '../../../src/protocol/identity.js';
import { declareSuccession, successionsInPem } from '../../../src/protocol/succession.js';
import { temporaryFolders } from '../../support/folder.js';
import { newIdentity, privatePem, publicPem } from '../../support/keys.js';

const temporaryFolder = temporaryFolders();
const [first, second, third, other] = [newIdentity(), newIdentity(), newIdentity(), newIdentity()];
const options = { passphrases: { prompt: null }, warn: () => {} };

let folder = '';
let file = '';
beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'mykeypair.pem');
  writeFileSync(file, privatePem(first.privateKey), { mode: 0o600 });
  writeFileSync(join(folder, 'public.pem'), publicPem(first.privateKey));
});

function replace(old: Identity, next: Identity, before = readFileSync(file, 'utf8')): void {
  const pem = privatePem(next.privateKey) + publicPem(next.privateKey);
  replaceKeyPair({ file, before, succession: declareSuccession(old, next, 1), pem });
}

async function idsSince(id: string, from = file): Promise<string[] | undefined> {
  return (await loadKeysSince(await loadOwnKeys(from, options), from, id, options))?.line.map((each) => each.id);
}

describe('a key pair that was replaced', () => {
  test('is kept beside the new one, for its owner’s eyes alone, with what it said', () => {
    replace(first, second);
    const kept = formerKeyFile(file, first.id);
    expect(readFileSync(kept, 'utf8')).toContain(privatePem(first.privateKey));
    expect(successionsInPem(readFileSync(kept, 'utf8')).map(({ successor }) => successor.id)).toEqual([second.id]);
    for (const path of [file, kept]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(formerKeysFolder(file)).mode & 0o777).toBe(0o700);
    expect(readdirSync(formerKeysFolder(file))).toEqual([`${first.id}.pem`]);
    expect(readdirSync(folder).sort()).toEqual(['mykeypair.pem', 'mykeypair.pem.former', 'public.pem']);
  });

  test('and those before it are found again by whoever knows us by one of them', async () => {
    replace(first, second);
    replace(second, third);
    expect(await idsSince(first.id)).toEqual([first.id, second.id, third.id]);
    expect(await idsSince(second.id)).toEqual([second.id, third.id]);
    expect(await idsSince(third.id)).toEqual([third.id]);
    expect(await idsSince(other.id)).toBeUndefined();
    expect(formerIds(file, third.id).sort()).toEqual([first.id, second.id].sort());
    const link = join(folder, 'link.pem');
    symlinkSync(file, link);
    expect(await idsSince(first.id, link)).toEqual([first.id, second.id, third.id]);
  });

  test('by somebody else meanwhile is not replaced once more: two successors would both be refused', () => {
    const before = readFileSync(file, 'utf8');
    replace(first, second);
    expect(() => replace(first, third, before)).toThrow('was changed by somebody else');
    expect(successionsInPem(readFileSync(formerKeyFile(file, first.id), 'utf8'))[0]?.successor.id).toBe(second.id);
  });
});

describe('a rotation that was killed', () => {
  test('before the new pair was in place counts for nothing, and is simply done again', async () => {
    const before = readFileSync(file);
    replace(first, other);
    writeFileSync(file, before);
    expect(await idsSince(first.id)).toEqual([first.id]);
    expect(isUnfinished(file, first)).toBe(false);
    replace(first, second);
    expect(await idsSince(first.id)).toEqual([first.id, second.id]);
  });

  test('before the public key was in place is known by that, and finished by writing it', () => {
    expect(isUnfinished(file, first)).toBe(false);
    replace(first, second);
    expect(isUnfinished(file, second)).toBe(true);
    writePublicFile(file, second);
    expect(isUnfinished(file, second)).toBe(false);
  });
});

describe('the new public key', () => {
  test('takes the place of the old one, readable for all, with the word of all keys before it', () => {
    replace(first, second);
    writePublicFile(file, second);
    replace(second, third);
    const path = writePublicFile(file, third);
    expect(path).toBe(join(folder, 'public.pem'));
    const text = readFileSync(path, 'utf8');
    expect(parsePublicPem(text).id).toBe(third.id);
    expect(text).not.toContain('PRIVATE');
    const line = successionsInPem(text).map(({ former, successor }) => [former.id, successor.id]);
    expect(line).toEqual([
      [first.id, second.id],
      [second.id, third.id],
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o644);
  });

  test('does not take the place of somebody else’s', () => {
    writeFileSync(join(folder, 'public.pem'), publicPem(other.privateKey));
    replace(first, second);
    expect(writePublicFile(file, second)).toBe(`${file}.public.pem`);
    expect(parsePublicPem(readFileSync(join(folder, 'public.pem'), 'utf8')).id).toBe(other.id);
    rmSync(join(folder, 'public.pem'));
    expect(writePublicFile(file, second)).toBe(join(folder, 'public.pem'));
    expect(existsSync(join(folder, 'public.pem'))).toBe(true);
  });
});
