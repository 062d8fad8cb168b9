import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultHomeDirectory, Home } from '../../src/peer/home.js';
import { verificationWords } from '../../src/protocol/words.js';
import { type Compiled, compileForNode } from '../support/compile.js';
import { contactDetails } from '../support/contacts.js';
import { temporaryFolders } from '../support/folder.js';

const temporaryFolder = temporaryFolders();
const id = 'a'.repeat(64);

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('the folder', () => {
  test('is made with everything above it, for its owner alone, and so is what lies in it', async () => {
    const directory = join(temporaryFolder(), 'deep', 'home');
    const home = await Home.open(directory);
    home.pinMediator('m.example', 1, id);
    const contact = home.contactFor(contactDetails('bob'));
    expect(mode(directory)).toBe('700');
    expect(mode(join(directory, 'settings.json'))).toBe('600');
    expect(mode(home.contactDirectory(contact.contactId))).toBe('700');
  });

  test('is closed to others if it was made open, and stays as it is if it serves other ends', async () => {
    const empty = temporaryFolder();
    chmodSync(empty, 0o755);
    await Home.open(empty);
    expect(mode(empty)).toBe('700');

    const used = temporaryFolder();
    writeFileSync(join(used, 'letter.txt'), 'hello');
    chmodSync(used, 0o755);
    const home = await Home.open(used);
    home.pinMediator('m.example', 1, id);
    expect(mode(used)).toBe('755');
    expect(mode(join(used, 'settings.json'))).toBe('600');
    expect(mode(home.contactDirectory('0123456789abcdef'))).toBe('700');
  });

  test('that cannot be made is a user error with a hint', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(Home.open(join(file, 'home'))).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
    await expect(Home.open(file)).rejects.toThrow('cannot be used for settings');
  });

  test('is in the configuration folder of the environment, if that is an absolute path', () => {
    expect(defaultHomeDirectory('/etc/me')).toBe('/etc/me/turbo-beep');
    for (const none of [undefined, '', 'relative']) {
      expect(defaultHomeDirectory(none)).toBe(join(os.homedir(), '.config', 'turbo-beep'));
    }
  });
});

describe('contacts', () => {
  test('are found by name after being saved, by another Home too', async () => {
    const directory = temporaryFolder();
    const saved = (await Home.open(directory)).addContact({ ...contactDetails('bob'), name: 'bob' });
    const home = await Home.open(directory);
    expect(home.contactByName('bob')).toEqual(saved);
    expect(saved).toEqual({
      ...contactDetails('bob'),
      name: 'bob',
      contactId: expect.stringMatching(/^[0-9a-f]{16}$/),
      verified: false,
      blocked: false,
    });
  });

  test('are found in whichever Unicode form their name is typed', async () => {
    const home = await Home.open(temporaryFolder());
    home.addContact({ ...contactDetails('zoe'), name: 'Zoe\u0308' });
    expect(home.contactByName('Zo\u00eb').name).toBe('Zo\u00eb');
  });

  test('that are unknown are a user error that names what is near', async () => {
    const home = await Home.open(temporaryFolder());
    home.addContact({ ...contactDetails('bob'), name: 'bobby' });
    expect(() => home.contactByName('boby')).toThrow(
      expect.objectContaining({
        exitCode: 2,
        message: 'there is no contact named boby',
        hint: expect.stringContaining('bobby'),
      }),
    );
  });

  test('of the same two keys are one, whose journal folder stays the same', async () => {
    const home = await Home.open(temporaryFolder());
    const first = home.contactFor(contactDetails('bob'));
    expect(home.contactFor({ ...contactDetails('bob'), host: 'other.example' })).toEqual({
      ...first,
      host: 'other.example',
    });
    const named = home.addContact({ ...contactDetails('bob'), name: 'bob' });
    expect(named.contactId).toBe(first.contactId);
    expect(home.contactFor({ ...contactDetails('bob'), host: 'third.example' })).toEqual(named);
    expect(home.contactFor({ ...contactDetails('bob'), ownId: id }).contactId).not.toBe(first.contactId);
    expect(home.listContacts()).toHaveLength(2);
  });

  test('are the same when either key was followed by another, and keep the one that is followed', async () => {
    const home = await Home.open(temporaryFolder());
    const { contactId, ownId } = home.contactFor(contactDetails('bob'));
    const rotated = { ...contactDetails('bob'), ownId: id };
    expect(home.contactFor(rotated, [ownId])).toMatchObject({ contactId, ownId });
    const newKey = contactDetails('bob, later');
    home.updateContact(contactId, { peerId: newKey.peerId, formerPeerIds: [contactDetails('bob').peerId] });
    expect(home.contactFor(contactDetails('bob'))).toMatchObject({ contactId, peerId: newKey.peerId });
    expect(home.contactFor(newKey)).toMatchObject({ contactId });
    expect(home.findContact({ ownId: id, peerId: contactDetails('bob').peerId }, [ownId])?.contactId).toBe(contactId);
    expect(home.listContacts()).toHaveLength(1);
    expect(home.contactFor(rotated).contactId).not.toBe(contactId);
  });

  test('whose file holds another key than before are refused, also under a later key of our own', async () => {
    const home = await Home.open(temporaryFolder());
    const { ownId } = home.contactFor({ ...contactDetails('bob'), peerFile: '/friends/bob.pem' });
    const other = { ...contactDetails('somebody else'), peerFile: '/friends/bob.pem', ownId: id };
    expect(() => home.contactFor(other, [ownId])).toThrow('has another key than before');
  });

  test('are listed by name, those without one last', async () => {
    const home = await Home.open(temporaryFolder());
    home.contactFor(contactDetails('nobody'));
    for (const name of ['zoe', 'ann']) home.addContact({ ...contactDetails(name), name });
    expect(home.listContacts().map((contact) => contact.name)).toEqual(['ann', 'zoe', null]);
  });

  test('neither share a name nor a pair of keys', async () => {
    const home = await Home.open(temporaryFolder());
    home.addContact({ ...contactDetails('bob'), name: 'bob' });
    expect(() => home.addContact({ ...contactDetails('other'), name: 'bob' })).toThrow(
      'bob has another key than before',
    );
    expect(() => home.addContact({ ...contactDetails('bob'), name: 'bob' })).toThrow('already a contact named bob');
    expect(() => home.addContact({ ...contactDetails('bob'), name: 'rob' })).toThrow('already saved as bob');
    expect(home.listContacts()).toHaveLength(1);
  });

  test('change in the fields that are named, and in no others', async () => {
    const directory = temporaryFolder();
    const home = await Home.open(directory);
    const { contactId } = home.addContact({ ...contactDetails('bob'), name: 'bob' });
    (await Home.open(directory)).updateContact(contactId, { verified: true });
    home.updateContact(contactId, { blocked: true });
    expect(home.contactByName('bob')).toMatchObject({ verified: true, blocked: true });
    expect(() => home.updateContact('0'.repeat(16), {})).toThrow('removed meanwhile');
  });

  test('are gone when removed, unless a journal was begun, which waits for the same peer', async () => {
    const home = await Home.open(temporaryFolder());
    home.addContact({ ...contactDetails('ann'), name: 'ann' });
    const { contactId } = home.addContact({ ...contactDetails('bob'), name: 'bob' });
    const journal = home.contactDirectory(contactId);
    expect(home.removeContact('ann')).toEqual({ journalKept: false });
    expect(home.removeContact('bob')).toEqual({ journalKept: true });
    expect(() => home.removeContact('bob')).toThrow('no contact named bob');
    expect(existsSync(journal)).toBe(true);
    expect(home.listContacts()).toMatchObject([{ name: null }]);
    expect(home.addContact({ ...contactDetails('bob'), name: 'robert' }).contactId).toBe(contactId);
  });
});

describe('a blocked key', () => {
  const bob = contactDetails('bob');

  test('is blocked under every name and with every own key, and stays so when its contact is removed', async () => {
    const home = await Home.open(temporaryFolder());
    home.addContact({ ...bob, name: 'bob' });
    home.contactFor({ ...bob, ownId: id });
    home.setBlocked(bob.peerId, true);
    expect(home.listContacts().map(({ blocked }) => blocked)).toEqual([true, true]);
    home.removeContact('bob');
    expect(home.isBlocked(bob.peerId)).toBe(true);
    expect(home.addContact({ ...bob, name: 'robert' }).blocked).toBe(true);
    home.setBlocked(home.contactByNameOrId(bob.peerId.slice(0, 16)).peerId, false);
    expect(home.isBlocked(bob.peerId)).toBe(false);
  });

  test('is noticed by another process within a second', async () => {
    const directory = temporaryFolder();
    const home = await Home.open(directory);
    home.addContact({ ...bob, name: 'bob' });
    const changed = new Promise<() => void>((resolve) => {
      const stop = home.watch(() => resolve(stop));
    });
    (await Home.open(directory)).setBlocked(bob.peerId, true);
    (await changed)();
    expect(home.isBlocked(bob.peerId)).toBe(true);
  });
});

test('a file that held another key before is refused, with the ids and words of both', async () => {
  const home = await Home.open(temporaryFolder());
  const peerFile = '/friends/bob.pem';
  const before = contactDetails('bob');
  const now = contactDetails('mallory');
  home.contactFor({ ...before, peerFile });
  const error = expect.objectContaining({
    exitCode: 2,
    message: [
      'the file /friends/bob.pem has another key than before:',
      `  before  ${before.peerId}`,
      `          ${verificationWords(before.peerId).join(' ')}`,
      `  now     ${now.peerId}`,
      `          ${verificationWords(now.peerId).join(' ')}`,
    ].join('\n'),
  });
  expect(() => home.contactFor({ ...now, peerFile })).toThrow(error);
  expect(home.listContacts()).toHaveLength(1);
  home.addContact({ ...now, peerFile, name: 'new' });
  expect(home.contactFor({ ...now, peerFile }).name).toBe('new');
  expect(home.contactFor({ ...contactDetails('carol'), peerFile: '/elsewhere.pem' }).name).toBeNull();
});

test('a mediator is pinned by host, in any case of letters, and port', async () => {
  const directory = temporaryFolder();
  const home = await Home.open(directory);
  expect(home.pinnedMediator('M.example', 1)).toBeNull();
  home.pinMediator('M.example', 1, id);
  home.pinMediator('::1', 1, 'b'.repeat(64));
  const again = await Home.open(directory);
  expect(again.pinnedMediator('m.EXAMPLE', 1)).toBe(id);
  expect(again.pinnedMediator('m.example', 2)).toBeNull();
  expect(again.pinnedMediator('::1', 1)).toBe('b'.repeat(64));
});

describe('a settings file', () => {
  const contact = {
    ...contactDetails('bob'),
    name: null,
    contactId: '0123456789abcdef',
    verified: false,
    blocked: false,
  };

  test.each([
    ['cut', '{"contacts": [', 'is damaged'],
    ['empty', '', 'is damaged'],
    ['of another kind', '{"contacts": 7}', 'is damaged'],
    [
      'with a contact id that is a path',
      JSON.stringify({ contacts: [{ ...contact, contactId: '../../../../tmp' }] }),
      'is damaged',
    ],
    ['with a short peer id', JSON.stringify({ contacts: [{ ...contact, peerId: 'abc' }] }), 'is damaged'],
    ['with a mediator without an id', '{"mediators": {"a:1": ""}}', 'is damaged'],
  ])('%s is a user error, and is left as it is', async (_, text, message) => {
    const directory = temporaryFolder();
    const path = join(directory, 'settings.json');
    writeFileSync(path, text);
    await expect(Home.open(directory)).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
    await expect(Home.open(directory)).rejects.toThrow(message);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('that is damaged while it is in use is left as it is too', async () => {
    const directory = temporaryFolder();
    const home = await Home.open(directory);
    home.pinMediator('a', 1, id);
    const path = join(directory, 'settings.json');
    writeFileSync(path, '{');
    expect(() => home.pinMediator('b', 1, id)).toThrow('is damaged');
    expect(readFileSync(path, 'utf8')).toBe('{');
  });

  test('that is a folder is a user error', async () => {
    const directory = temporaryFolder();
    mkdirSync(join(directory, 'settings.json'));
    await expect(Home.open(directory)).rejects.toThrow('cannot be used');
  });

  test('keeps what a later version wrote into it', async () => {
    const directory = temporaryFolder();
    const path = join(directory, 'settings.json');
    writeFileSync(path, JSON.stringify({ theme: 'dark', contacts: [{ ...contact, colour: 'red' }] }));
    (await Home.open(directory)).pinMediator('a', 1, id);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ theme: 'dark', contacts: [{ colour: 'red' }] });
  });
});

describe('several processes at once', () => {
  let writer: Compiled;
  beforeAll(async () => {
    writer = await compileForNode('test/support/home-writer.ts');
  });
  afterAll(() => writer.remove());

  /** Resolves to the names it said were saved. */
  function write(
    directory: string,
    label: string,
    count: number,
    killAfter = Number.POSITIVE_INFINITY,
  ): Promise<string[]> {
    const child = spawn(process.execPath, [writer.file, directory, label, String(count)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.split('\n').length > killAfter) child.kill('SIGKILL');
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject).once('close', () => resolve(said.split('\n').slice(0, -1)));
    });
  }

  test('lose none of the changes that they make to one home', async () => {
    const directory = temporaryFolder();
    const said = await Promise.all(['a', 'b', 'c'].map((label) => write(directory, label, 40)));
    const home = await Home.open(directory);
    const names = home.listContacts().map((contact) => contact.name);
    expect(said.flat()).toHaveLength(120);
    expect(names).toEqual(said.flat().sort());
    for (const name of said.flat()) expect(home.pinnedMediator(name, 1)).toBe(contactDetails(name).peerId);
  });

  test('lose nothing, and wait for nobody, when some are killed while they write', async () => {
    const directory = temporaryFolder();
    const killed = Array.from({ length: 6 }, (_, at) => write(directory, `killed${at}`, 1000, 5 + at));
    const [survivor, ...others] = await Promise.all([write(directory, 'survivor', 40), ...killed]);
    const names = new Set((await Home.open(directory)).listContacts().map((contact) => contact.name));
    expect(survivor).toHaveLength(40);
    for (const name of [...(survivor ?? []), ...others.flat()]) expect(names).toContain(name);
  });
});
