import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultHomeDirectory, Home } from '../../src/peer/home.js';
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
    const contact = home.contacts.forKeys(contactDetails('bob'));
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
    const names = home.contacts.list().map((contact) => contact.name);
    expect(said.flat()).toHaveLength(120);
    expect(names).toEqual(said.flat().sort());
    for (const name of said.flat()) expect(home.pinnedMediator(name, 1)).toBe(contactDetails(name).peerId);
  });

  test('lose nothing, and wait for nobody, when some are killed while they write', async () => {
    const directory = temporaryFolder();
    const killed = Array.from({ length: 6 }, (_, at) => write(directory, `killed${at}`, 1000, 5 + at));
    const [survivor, ...others] = await Promise.all([write(directory, 'survivor', 40), ...killed]);
    const names = new Set((await Home.open(directory)).contacts.list().map((contact) => contact.name));
    expect(survivor).toHaveLength(40);
    for (const name of [...(survivor ?? []), ...others.flat()]) expect(names).toContain(name);
  });
});
