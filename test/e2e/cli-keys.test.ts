import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parsePrivatePem, parsePublicPem } from '../../src/protocol/identity.js';
import { verificationWords } from '../../src/protocol/words.js';
import { temporaryFolders } from '../support/folder.js';
import { newIdentity, newRsaKey, privatePem, publicPem } from '../support/keys.js';
import { DIST, run, stopAll } from '../support/program.js';

const temporaryFolder = temporaryFolders();
const certs = resolve(import.meta.dirname, '../../certs');
const alice = newIdentity();
const bob = newIdentity();

let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(stopAll);

function write(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** Runs p2p in the test's folder. */
function p2p(...args: string[]) {
  return run(args, { cwd: folder });
}

/** What every mistake of the person looks like. */
async function expectUserError(finished: ReturnType<typeof run>, message: string | RegExp) {
  const { code, stdout, stderr } = await finished;
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^p2p: .+\n.+\n$/m);
  expect(stderr).not.toMatch(/\n\s+at |node:internal/);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  return stderr;
}

describe('keygen', () => {
  test('makes the folder and both files, and tells the id, the words and what comes next', async () => {
    const { code, stdout, stderr } = await p2p('keygen', 'deep/keys');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const identity = parsePrivatePem(read('deep/keys/mykeypair.pem'));
    expect(parsePublicPem(read('deep/keys/public.pem')).id).toBe(identity.id);
    expect(parsePublicPem(read('deep/keys/mykeypair.pem')).id).toBe(identity.id);
    expect(identity.privateKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 3072, publicExponent: 65537n });
    expect(read('deep/keys/mykeypair.pem')).toMatch(/^-----BEGIN PRIVATE KEY-----[\s\S]+-----BEGIN PUBLIC KEY-----/);
    expect(statSync(join(folder, 'deep/keys/mykeypair.pem')).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'deep/keys')).sort()).toEqual(['mykeypair.pem', 'public.pem']);
    expect(stdout).toContain(identity.id);
    expect(stdout).toContain(verificationWords(identity.id).join(' '));
    expect(stdout).toContain('give public.pem to your friend');
  });

  test('makes keys of the size that is asked for', async () => {
    await p2p('keygen', 'keys', '--bits', '2048');
    expect(createPublicKey(read('keys/public.pem')).asymmetricKeyDetails?.modulusLength).toBe(2048);
  });

  test.each(['mykeypair.pem', 'public.pem'])('overwrites no %s', async (name) => {
    mkdirSync(join(folder, 'keys'));
    write(`keys/${name}`, 'precious');
    await expectUserError(p2p('keygen', 'keys'), `${name} is already there`);
    expect(read(`keys/${name}`)).toBe('precious');
    expect(readdirSync(join(folder, 'keys'))).toEqual([name]);
  });

  test('finishes what was killed between the two files', async () => {
    await p2p('keygen', 'keys', '--bits', '2048');
    const before = [read('keys/mykeypair.pem'), read('keys/public.pem')];
    rmSync(join(folder, 'keys/public.pem'));
    const { code, stdout } = await p2p('keygen', 'keys', '--bits', '2048');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Kept .*mykeypair\.pem .*\nMade .*public\.pem /);
    expect([read('keys/mykeypair.pem'), read('keys/public.pem')]).toEqual(before);
    await expectUserError(p2p('keygen', 'keys'), 'is already there');
  });

  test('encrypts under a passphrase from a file, or from the environment when asked to', async () => {
    write('passphrase', 'schön\nnot this\n');
    expect((await p2p('keygen', 'a', '--bits', '2048', '--passphrase-file', 'passphrase')).code).toBe(0);
    const env = { TURBO_BEEP_PASSPHRASE: 'schön' };
    expect((await run(['keygen', 'b', '--bits', '2048', '--passphrase'], { cwd: folder, env })).code).toBe(0);
    for (const name of ['a', 'b']) {
      expect(read(`${name}/mykeypair.pem`)).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
      expect(parsePrivatePem(read(`${name}/mykeypair.pem`), 'schön').id).toBe(
        parsePublicPem(read(`${name}/public.pem`)).id,
      );
    }
  });

  test('asks for no passphrase where there is no terminal, and makes nothing then', async () => {
    await expectUserError(p2p('keygen', 'keys', '--passphrase'), 'there is no terminal');
    expect(existsSync(join(folder, 'keys'))).toBe(false);
  });

  test.each([
    ['a size that is too small', ['keygen', 'keys', '--bits', '1024'], 'not a size'],
    ['a size that is too large', ['keygen', 'keys', '--bits', '16384'], 'not a size'],
    ['a passphrase in argv', ['keygen', 'keys', '--passphrase', 'secret'], 'not understood: secret'],
    ['an empty passphrase file', ['keygen', 'keys', '--passphrase-file', '/dev/null'], 'no first line'],
    ['a folder below a file', ['keygen', 'file/keys'], 'cannot be written'],
  ])('refuses %s', async (_, args, message) => {
    write('file', '');
    await expectUserError(p2p(...args), message);
    expect(readdirSync(folder)).toEqual(['file']);
  });
});

describe('id', () => {
  test('shows the same for a public key, a key pair and a key of the C++ program', async () => {
    const pkcs1 = alice.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    const pkcs1Public = alice.key.export({ type: 'pkcs1', format: 'pem' }).toString();
    for (const text of [publicPem(alice.privateKey), privatePem(alice.privateKey), pkcs1 + pkcs1Public]) {
      const { code, stdout, stderr } = await p2p('id', write('key.pem', text));
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: `id     ${alice.id}\nwords  ${verificationWords(alice.id).join(' ')}\n`,
        stderr: '',
      });
    }
  });

  test('prints JSON, or a QR code when asked to', async () => {
    const file = write('key.pem', publicPem(alice.privateKey));
    expect(JSON.parse((await p2p('id', file, '--json')).stdout)).toEqual({
      id: alice.id,
      words: verificationWords(alice.id),
    });
    const lines = (await p2p('id', file, '--qr')).stdout.split('\n');
    expect(lines.filter((line) => /^[█▀▄ ]{30,}$/.test(line)).length).toBeGreaterThan(15);
  });

  test('opens an encrypted key without a public block by the passphrase of the environment', async () => {
    const text = alice.privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString();
    const file = write('key.pem', text);
    await expectUserError(p2p('id', file), 'no passphrase was given');
    const wrong = run(['id', file], { env: { TURBO_BEEP_PASSPHRASE: 'y' } });
    await expectUserError(wrong, 'the passphrase does not open the private key');
    expect((await run(['id', file], { env: { TURBO_BEEP_PASSPHRASE: 'x' } })).stdout).toContain(alice.id);
  });

  test('warns of an example key, unless the demo uses it', async () => {
    const file = join(certs, 'alice/public.pem');
    expect(await p2p('id', file)).toMatchObject({ code: 0, stderr: expect.stringContaining('an example key') });
    expect(await run(['id', file], { env: { TURBO_BEEP_DEMO: '1' } })).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('wrong keys end a talk before it begins', () => {
  const good = () => ({
    keys: write('me.pem', privatePem(alice.privateKey)),
    peer: write('peer.pem', publicPem(bob.privateKey)),
  });
  const ec = '-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n';
  const wrongKeys: [string, string, string][] = [
    ['empty', '', 'is empty'],
    ['truncated', privatePem(alice.privateKey).slice(0, 800), 'truncated'],
    ['public-only', publicPem(alice.privateKey), 'a public key only'],
    ['no RSA key', ec, 'not an RSA key'],
    ['too small', privatePem(newRsaKey(1024)), '1024 bits'],
    ['the key of the peer', privatePem(bob.privateKey), 'the same key'],
  ];

  test.each(wrongKeys)('a key pair that is %s', async (_, text, message) => {
    const { peer } = good();
    const keys = write('wrong.pem', text);
    await expectUserError(p2p('127.0.0.1', '1', keys, peer, '--home', 'home'), message);
    await expectUserError(
      p2p('send', keys, '--host', '::1', '--port', '1', '--keys', keys, '--peer', peer, '--home', 'home'),
      message,
    );
  });

  test.each([
    ['missing', () => 'none.pem', 'is not there'],
    ['a folder', () => folder, 'is a folder'],
    ['private only', () => write('p.pem', privatePem(bob.privateKey)), 'a private key and no public one'],
    ['truncated', () => write('p.pem', publicPem(bob.privateKey).slice(0, 99)), 'truncated'],
  ])('a peer key that is %s', async (_, file, message) => {
    await expectUserError(p2p('127.0.0.1', '1', good().keys, file(), '--home', 'home'), message);
  });

  test('in JSON mode, as an error event too', async () => {
    const { peer } = good();
    const { code, stdout, stderr } = await p2p('127.0.0.1', '1', 'none.pem', peer, '--home', 'home', '--json');
    expect(code).toBe(2);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(JSON.parse(stdout)).toEqual({
      event: 'error',
      code: 2,
      message: 'the key pair none.pem is not there',
      hint: expect.stringContaining('keygen'),
    });
    expect(stderr).toContain('the key pair none.pem is not there');
  });
});

describe('contact', () => {
  beforeEach(async () => {
    write('me.pem', privatePem(alice.privateKey));
    write('bob.pem', publicPem(bob.privateKey));
    const added = await addBob('bob');
    expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining('p2p bob') });
  });

  function addBob(name: string, ...more: string[]) {
    const whom = ['--host', '[::1]', '--port', '54700', '--keys', 'me.pem', '--peer', 'bob.pem'];
    return p2p('contact', 'add', name, ...whom, '--home', 'home', ...more);
  }

  function contact(...args: string[]) {
    return p2p('contact', ...args, '--home', 'home');
  }

  test('show and list tell what was saved, though the peer’s file is gone', async () => {
    rmSync(join(folder, 'bob.pem'));
    const saved = {
      name: 'bob',
      id: bob.id,
      ownId: alice.id,
      host: '::1',
      port: 54700,
      keys: join(folder, 'me.pem'),
      verified: false,
      blocked: false,
    };
    expect(JSON.parse((await contact('list', '--json')).stdout)).toEqual([saved]);
    expect(JSON.parse((await contact('show', 'bob', '--json')).stdout)).toEqual({
      ...saved,
      words: verificationWords(bob.id),
    });
    expect((await contact('list')).stdout).toMatch(new RegExp(`^bob +${bob.id.slice(0, 16)}  ::1 port 54700\n$`));
    const shown = (await contact('show', 'bob')).stdout;
    for (const part of [bob.id, verificationWords(bob.id).join(' '), '::1', 'me.pem', 'verified  no']) {
      expect(shown).toContain(part);
    }
  });

  test('add refuses a second of the same name, and a second name for the same keys', async () => {
    await expectUserError(addBob('bob'), 'already a contact named bob');
    await expectUserError(addBob('rob'), 'already saved as bob');
    await expectUserError(addBob('x\x1b[2J'), 'control characters');
    await expectUserError(p2p('contact', 'add', 'al', '--host', 'h', '--port', '1'), 'options are missing');
  });

  test('add needs no passphrase if the key pair shows its public half, and a key that is private', async () => {
    const encrypted = alice.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
    write('locked.pem', encrypted.toString() + publicPem(alice.privateKey));
    expect((await contact('remove', 'bob')).code).toBe(0);
    expect(await addBob('bob', '--keys', 'locked.pem')).toMatchObject({ code: 0, stderr: '' });
    await expectUserError(addBob('x', '--keys', 'bob.pem'), 'a public key only');
  });

  test('a blocked one is not talked to until it is unblocked', async () => {
    expect((await contact('block', 'bob')).code).toBe(0);
    expect((await contact('show', 'bob')).stdout).toContain('(blocked)');
    await expectUserError(p2p('bob', '--home', 'home'), 'bob is blocked');
    await expectUserError(p2p('::1', '54700', 'me.pem', 'bob.pem', '--home', 'home'), 'bob is blocked');
    expect((await contact('unblock', 'bob')).code).toBe(0);
    expect((await contact('show', 'bob')).stdout).not.toContain('(blocked)');
  });

  test('a removed one is unknown, and an unknown one brings near names to mind', async () => {
    expect(await expectUserError(p2p('bobb', '--home', 'home'), 'no contact named bobb')).toContain(
      'Did you mean bob?',
    );
    expect((await contact('remove', 'bob')).code).toBe(0);
    await expectUserError(contact('show', 'bob'), 'no contact named bob');
    await expectUserError(contact('remove', 'bob'), 'no contact named bob');
    expect((await contact('list')).stdout).toContain('No contacts yet');
  });

  test('damaged settings are told of, and left as they are', async () => {
    write('home/settings.json', '{"contacts":');
    await expectUserError(contact('list'), /settings\.json is damaged/);
    await expectUserError(addBob('rob'), /settings\.json is damaged/);
    expect(read('home/settings.json')).toBe('{"contacts":');
  });
});

describe('the command line', () => {
  let version = '';
  beforeAll(() => {
    version = JSON.parse(readFileSync(join(certs, '../package.json'), 'utf8')).version;
  });

  test('says its version and its help on stdout', async () => {
    expect(await p2p('--version')).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(await p2p('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('p2p <contact>'),
      stderr: '',
    });
  });

  test.each([
    ['nothing', [], 'whom to talk to'],
    ['an unknown option', ['bob', '--frob'], 'not understood: --frob'],
    ['half of what is needed', ['host', '1'], 'name one contact, or all four'],
    ['a port with an exponent', ['::1', '1e3', 'k', 'p'], 'not a port: "1e3"'],
    ['a host that is none', ['a b', '1', 'k', 'p'], 'not a host'],
    ['a path that is none', ['::1', '1', 'k', 'p', '--paths', 'x'], 'not a path'],
    ['a timeout of nothing', ['::1', '1', 'k', 'p', '--timeout', '0'], 'not a time to wait'],
  ])('with %s is a mistake of the person, exit code 2', async (_, args, message) => {
    await expectUserError(p2p(...args), message);
  });

  test('that cannot be understood is an error event in JSON mode', async () => {
    const { code, stdout } = await p2p('--json', '--frob');
    expect({ code, event: JSON.parse(stdout) }).toMatchObject({ code: 2, event: { event: 'error', code: 2 } });
  });

  test('never shows what a terminal would obey', async () => {
    const { stderr } = await p2p('evil\x1b[2J\x9b2J', '--home', 'home');
    expect(stderr).toContain('evil\ufffd[2J\ufffd2J');
  });
});

test.runIf(existsSync('/dev/full'))(
  'output for which the disk has no room is an error, and a reader who left is none',
  () => {
    const words = `'${process.execPath}' '${DIST}/peer/main.js' --version`;
    const full = spawnSync('sh', ['-c', `${words} >/dev/full`], { encoding: 'utf8' });
    expect(full).toMatchObject({ status: 2, stderr: expect.stringMatching(/^p2p: the output .* no space left/) });
    const left = spawnSync('sh', ['-c', `{ ${words}; echo $? >&2; } | true`], { encoding: 'utf8' });
    expect(left).toMatchObject({ stderr: '0\n' });
  },
);
