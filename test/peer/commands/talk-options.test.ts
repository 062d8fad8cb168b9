import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Environment } from '../../../src/peer/commands/environment.js';
import { prepareTalk, type TalkArguments } from '../../../src/peer/commands/talk-options.js';
import { Home } from '../../../src/peer/home.js';
import { temporaryFolders } from '../../support/folder.js';
import { newIdentity, privatePem, publicPem } from '../../support/keys.js';

const temporaryFolder = temporaryFolders();
const me = newIdentity();
const bob = newIdentity();
const environment: Environment = {
  passphrase: undefined,
  configHome: undefined,
  demo: false,
  term: undefined,
  noColour: false,
};

let folder = '';
let target: { host: string; port: string; keys: string; peer: string };
beforeEach(() => {
  folder = temporaryFolder();
  target = {
    host: '[::1]',
    port: '54700',
    keys: write('me.pem', privatePem(me.privateKey)),
    peer: write('bob.pem', publicPem(bob.privateKey)),
  };
});

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function words(more: Partial<TalkArguments> = {}): TalkArguments {
  return {
    target,
    purpose: { kind: 'chat' },
    json: false,
    plain: false,
    timeout: undefined,
    paths: undefined,
    hostCandidates: true,
    portMapping: true,
    home: join(folder, 'home'),
    mediatorKey: undefined,
    passphraseFile: undefined,
    ...more,
  };
}

function prepare(more: Partial<TalkArguments> = {}) {
  return prepareTalk(words(more), environment);
}

/** Saves Bob, and resolves to what talk then gets by his name. */
async function saveBob() {
  const home = await Home.open(join(folder, 'home'));
  return home.contacts.add({
    name: 'bob',
    host: 'm.example',
    port: 1,
    keys: target.keys,
    peerPem: publicPem(bob.privateKey),
    peerId: bob.id,
    ownId: me.id,
  });
}

test('four words become a session with everything checked, and a contact without a name', async () => {
  const options = await prepare({ timeout: '1.5', paths: 'relay,tcp-punch', json: true });
  expect(options).toMatchObject({
    purpose: { kind: 'chat' },
    host: '::1',
    port: 54700,
    json: true,
    plain: false,
    timeoutMs: 1500,
    paths: ['relay', 'tcp-punch'],
    mediatorKey: null,
    contact: { name: null, peerId: bob.id, ownId: me.id, host: '::1', keys: target.keys, blocked: false },
  });
  expect(options.own.line[0].id).toBe(me.id);
  expect(options.peer.id).toBe(bob.id);
  expect((await prepare()).contact.contactId).toBe(options.contact.contactId);
});

test('without options there is no deadline, and every path is tried', async () => {
  expect(await prepare()).toMatchObject({ timeoutMs: null, paths: ['tcp-direct', 'tcp-punch', 'udp-punch', 'relay'] });
});

test('a saved contact stands for all four, though the file of its key is gone', async () => {
  const contact = await saveBob();
  const options = await prepare({ target: { contact: 'bob' } });
  expect(options).toMatchObject({ host: 'm.example', port: 1, contact });
  expect(options.peer.id).toBe(bob.id);
});

describe('nobody is talked to', () => {
  test('who is blocked, neither by name nor by key', async () => {
    const { contactId } = await saveBob();
    (await Home.open(join(folder, 'home'))).contacts.update(contactId, { blocked: true });
    for (const whom of [{ contact: 'bob' }, target]) {
      await expect(prepare({ target: whom })).rejects.toMatchObject({ exitCode: 2, message: 'bob is blocked' });
    }
  });

  test('with another key pair than the contact was saved with', async () => {
    await saveBob();
    write('me.pem', privatePem(newIdentity().privateKey));
    await expect(prepare({ target: { contact: 'bob' } })).rejects.toThrow(
      'holds another key pair than when bob was saved',
    );
  });

  test('whose saved key does not fit the saved id', async () => {
    const { contactId } = await saveBob();
    const home = await Home.open(join(folder, 'home'));
    for (const peerPem of ['rubbish', publicPem(newIdentity().privateKey)]) {
      home.contacts.update(contactId, { peerPem });
      await expect(prepare({ target: { contact: 'bob' } })).rejects.toThrow('the saved key of bob is damaged');
    }
  });

  test('who is oneself', async () => {
    const peer = write('mine.pem', publicPem(me.privateKey));
    await expect(prepare({ target: { ...target, peer } })).rejects.toThrow('are the same key');
  });

  test('unknown', async () => {
    await expect(prepare({ target: { contact: 'bob' } })).rejects.toMatchObject({ exitCode: 2 });
  });
});

test.each([
  ['port', { port: '70000' }],
  ['host', { host: 'a b' }],
  ['key pair', { keys: '/nowhere/key.pem' }],
  ['peer key', { peer: '/nowhere/key.pem' }],
])('a wrong %s is a user error', async (_, change) => {
  await expect(prepare({ target: { ...target, ...change } })).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
});

test.each([
  ['timeout', { timeout: '0' }],
  ['path', { paths: 'carrier-pigeon' }],
  ['home', { home: '' }],
  ['passphrase file', { passphraseFile: '/nowhere/passphrase', target: undefined }],
])('a wrong %s is a user error', async (_, change) => {
  const key = me.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
  const keys = write('encrypted.pem', key);
  const talk = prepare({ ...change, target: { ...target, keys } });
  await expect(talk).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
});

describe("the mediator's key", () => {
  test('may be an id, a public key or the key pair itself', async () => {
    const mediator = newIdentity();
    const files = [write('p.pem', publicPem(mediator.privateKey)), write('k.pem', privatePem(mediator.privateKey))];
    for (const mediatorKey of [mediator.id, mediator.id.toUpperCase(), ...files]) {
      expect(await prepare({ mediatorKey })).toMatchObject({ mediatorKey: mediator.id });
    }
  });

  test.each(['abc123', '0'.repeat(63), '0'.repeat(65)])('is not "%s"', async (mediatorKey) => {
    await expect(prepare({ mediatorKey })).rejects.toThrow("not a mediator's id");
  });

  test('is not a file that is missing', async () => {
    await expect(prepare({ mediatorKey: '/nowhere/key.pem' })).rejects.toThrow('is not there');
  });
});

const isRoot = process.getuid?.() === 0;
const why = isRoot ? ' (skipped: root may do everything)' : '';

describe('what is to be sent', () => {
  test('is named by absolute paths', async () => {
    const file = write('a.txt', '');
    mkdirSync(join(folder, 'd'));
    const options = await prepare({ purpose: { kind: 'send', files: [file, join(folder, 'x', '..', 'd')] } });
    expect(options.purpose).toEqual({ kind: 'send', files: [file, join(folder, 'd')] });
  });

  test('and is missing is a user error, before any key is opened', async () => {
    const purpose = { kind: 'send', files: [join(folder, 'none')] } as const;
    await expect(
      prepare({ purpose: { ...purpose, files: [...purpose.files] }, target: { ...target, keys: '/nowhere' } }),
    ).rejects.toThrow(/none" is not there/);
  });

  test.skipIf(isRoot)(`and may not be read is a user error${why}`, async () => {
    const file = write('secret.txt', '');
    chmodSync(file, 0o000);
    await expect(prepare({ purpose: { kind: 'send', files: [file] } })).rejects.toThrow('cannot be read');
  });
});

describe('where to receive', () => {
  const purpose = { kind: 'receive', yes: true, once: false } as const;

  test('may be a folder, or nothing yet', async () => {
    for (const into of [folder, join(folder, 'new', 'deep')]) {
      expect((await prepare({ purpose: { ...purpose, into } })).purpose).toEqual({ ...purpose, into });
    }
  });

  test.skipIf(isRoot)(`is not below a folder that is another's${why}`, async () => {
    chmodSync(folder, 0o555);
    await expect(prepare({ purpose: { ...purpose, into: join(folder, 'new') } })).rejects.toThrow('permission denied');
    chmodSync(folder, 0o755);
  });

  test('is not a file', async () => {
    await expect(prepare({ purpose: { ...purpose, into: target.keys } })).rejects.toThrow('is not a folder');
  });
});
