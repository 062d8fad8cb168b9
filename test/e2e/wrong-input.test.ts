import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { smallDisk } from '../peer/files/helpers/small-disk.js';
import { noise, sha256, survey } from '../peer/files/helpers/tree.js';
import { newRsaKey, privatePem, publicPem } from '../support/keys.js';
import { Pair } from '../support/pair.js';
import {
  type Finished,
  type Program,
  programFile,
  type RunningProgram,
  run,
  start,
  stopAll,
} from '../support/program.js';

let pair: Pair;

beforeAll(() => {
  pair = new Pair();
  const encrypted = newRsaKey().export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' });
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const small = newRsaKey(1024);
  const whole = readFileSync(pair.keys('alice'), 'utf8');
  const files = {
    'empty.pem': '',
    'truncated.pem': whole.slice(0, 900),
    'truncated-public.pem': readFileSync(pair.path('bob', 'public.pem'), 'utf8').slice(0, 200),
    'elliptic.pem': elliptic.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'elliptic-public.pem': elliptic.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    'small.pem': privatePem(small),
    'small-public.pem': publicPem(small),
    'encrypted.pem': encrypted.toString(),
    'wrong-passphrase': 'wrong\n',
    'a.txt': 'a',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(pair.path(name), content, { mode: 0o600 });
  symlinkSync(pair.path('gone'), pair.path('dangling'));
});

afterEach(stopAll);
afterAll(() => pair.remove());

/** A sentence about what is wrong, one about what to do, and neither a stack nor a word more. */
function expectSentences({ stderr }: Finished, program: Program, message: RegExp, hint: RegExp): void {
  const [wrong = '', todo = '', ...more] = stderr.split('\n');
  expect(wrong).toMatch(message);
  expect(wrong.startsWith(`${program}: `)).toBe(true);
  expect(todo).toMatch(hint);
  expect(more).toEqual(['']);
}

/** Through a shell, for node gives no other bytes to a program than UTF-8. `bytes`: in octal, for printf. */
function runWithBytes(program: Program, bytes: string, ...args: string[]) {
  const words = [process.execPath, programFile(program), ...args].map((word) => `'${word}'`);
  return spawnSync('sh', ['-c', `${words.join(' ')} "$(printf '${bytes}')"`], { encoding: 'utf8', cwd: pair.folder });
}

it('a name that is not UTF-8 is said to be that, and not to be missing or made', async () => {
  const stderr = expect.stringMatching(/^p2p: "caf\uFFFD" is not a name in UTF-8.*\nRename it/);
  const whom = pair.peerOptions('alice');
  expect(runWithBytes('p2p', 'caf\\351', 'send', ...whom)).toMatchObject({ status: 2, stderr });
  expect(runWithBytes('p2p', 'caf\\351', 'receive', ...whom, '--into')).toMatchObject({ status: 2, stderr });
  expect(runWithBytes('p2p', 'caf\\351', 'keygen')).toMatchObject({ status: 2, stderr });
  expect(runWithBytes('p2p-server', 'caf\\351', '--home')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^p2p-server: "caf\uFFFD" is not a name in UTF-8/),
  });
  expect(readdirSync(pair.folder).some((name) => name.startsWith('caf'))).toBe(false);
  // The letter itself may be in a name.
  writeFileSync(pair.path('caf\uFFFD'), 'x');
  expect(runWithBytes('p2p', 'caf\\357\\277\\275', 'id').stderr).not.toContain('UTF-8');
});

describe('before anything begins', () => {
  type Case = [what: string, replace: Partial<Record<'keys' | 'peer' | 'more', string>>, message: RegExp, hint: RegExp];
  const cases: Case[] = [
    ['a missing key pair', { keys: 'none.pem' }, /key pair none\.pem is not there/, /p2p keygen/],
    ['an empty key pair', { keys: 'empty.pem' }, /key pair empty\.pem .*is empty/, /p2p keygen/],
    ['a truncated key pair', { keys: 'truncated.pem' }, /truncated/, /Copy the file again/],
    ['a key pair without its private half', { keys: 'bob/public.pem' }, /public key only/, /mykeypair\.pem/],
    ['a key pair that is not RSA', { keys: 'elliptic.pem' }, /not a plain RSA key/, /p2p keygen/],
    ['a key pair of 1024 bits', { keys: 'small.pem' }, /1024 bits; at least 2048/, /p2p keygen/],
    ['an encrypted key pair without a passphrase', { keys: 'encrypted.pem' }, /no passphrase/, /TURBO_BEEP_PASSPHRASE/],
    [
      'a wrong passphrase',
      { keys: 'encrypted.pem', more: '--passphrase-file=wrong-passphrase' },
      /the passphrase does not open/,
      /Try again/,
    ],
    [
      'a missing passphrase file',
      { keys: 'encrypted.pem', more: '--passphrase-file=none' },
      /none is not there/,
      /path/,
    ],
    ['a folder as a key pair', { keys: 'alice' }, /is a folder/, /file in it/],
    ['a missing peer key', { peer: 'none.pem' }, /peer key none\.pem is not there/, /Check the path\.$/],
    ['an empty peer key', { peer: 'empty.pem' }, /peer key empty\.pem .*is empty/, /Ask the other person/],
    ['a truncated peer key', { peer: 'truncated-public.pem' }, /truncated/, /Copy the file again/],
    ['a peer key that is not RSA', { peer: 'elliptic-public.pem' }, /not a plain RSA key/, /Ask the other person/],
    ['a peer key of 1024 bits', { peer: 'small-public.pem' }, /1024 bits/, /Ask the other person/],
    ['one’s own key as the peer’s', { peer: 'alice/public.pem' }, /the same key/, /that the other person gave you/],
    ['a home that is a file', { more: '--home=a.txt' }, /a\.txt cannot be used/, /--home/],
    ['a mediator’s key that is none', { more: '--mediator-key=a.txt' }, /the mediator's key a\.txt/, /public\.pem/],
  ];

  it.each(cases)('%s ends p2p with 2 and two sentences, in JSON mode too', async (_, replace, message, hint) => {
    const { keys = 'alice/mykeypair.pem', peer = 'bob/public.pem', more = '--home=home' } = replace;
    const home = more.startsWith('--home') ? [] : ['--home', 'home'];
    const args = ['127.0.0.1', '1', keys, peer, more, ...home];
    const before = survey(pair.folder);
    const [plain, json] = await Promise.all([
      run(args, { cwd: pair.folder }),
      run([...args, '--json'], { cwd: pair.folder }),
    ]);
    expect([plain.code, json.code]).toEqual([2, 2]);
    expect(plain.stdout).toBe('');
    for (const finished of [plain, json]) expectSentences(finished, 'p2p', message, hint);
    const event = JSON.parse(json.stdout);
    expect(event).toEqual({
      event: 'error',
      code: 2,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    const after = survey(pair.folder);
    for (const [path, content] of Object.entries(before)) expect(after[path]).toBe(content);
  });

  it.each([
    ['an empty key', ['--key', 'empty.pem'], /empty\.pem is unusable: the file is empty/, /p2p keygen/],
    ['a truncated key', ['--key', 'truncated.pem'], /truncated/, /Copy the file again/],
    ['a public key as its key', ['--key', 'bob/public.pem'], /public key only/, /mykeypair\.pem/],
    ['a key that is not RSA', ['--key', 'elliptic.pem'], /not a plain RSA key/, /p2p keygen/],
    ['a key of 1024 bits', ['--key', 'small.pem'], /1024 bits/, /p2p keygen/],
    ['an encrypted key', ['--key', 'encrypted.pem'], /no passphrase/, /^Set TURBO_BEEP_PASSPHRASE/],
    ['a directory that is not there', ['--certs', 'none'], /none does not exist/, /mkdir -p .*--certs/],
    ['a directory that is a file', ['--certs', 'a.txt'], /is not a directory/, /--certs/],
    ['a host that does not resolve', ['--host', 'none.invalid'], /none\.invalid does not resolve/, /--host/],
    ['an address of another machine', ['--host', '203.0.113.7'], /not an address of this machine/, /--host/],
    ['a port that is none', ['--port', '65536'], /not a port: 65536/, /65535/],
  ])('%s ends p2p-server with 2 and two sentences', async (_, args, message, hint) => {
    const before = survey(pair.folder);
    const port = args[0] === '--port' ? [] : ['--port', '0'];
    const host = args[0] === '--host' ? [] : ['--host', '127.0.0.1'];
    const options = { program: 'p2p-server', cwd: pair.folder } as const;
    const finished = await run([...port, ...host, '--home', 'server', ...args], options);
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expectSentences({ ...finished, stderr: withoutWarnings(finished.stderr) }, 'p2p-server', message, hint);
    const after = survey(pair.folder);
    for (const [path, content] of Object.entries(before)) expect(after[path]).toBe(content);
  });

  it('a port in use ends p2p-server with 2', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const args = ['--host', '127.0.0.1', '--port', String(port), '--home', pair.path('server')];
    const finished = await run(args, { program: 'p2p-server' });
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expectSentences(finished, 'p2p-server', new RegExp(`port ${port} is already in use`), /--port/);
  });

  it.each([
    ['a missing file to send', ['send', 'none.txt'], /"none\.txt" is not there/, /nothing was sent/],
    ['a file below a file', ['send', 'a.txt/b'], /"a\.txt\/b" is not there/, /nothing was sent/],
    ['no name at all, which would be the whole folder', ['send', ''], /"" is not there/, /nothing was sent/],
    ['a link that leads nowhere', ['send', 'dangling'], /"dangling" is not there/, /nothing was sent/],
    ['a file as the folder to receive into', ['receive', '--into', 'a.txt'], /a\.txt is not a folder/, /Name a folder/],
  ])('%s ends p2p with 2 before anyone is asked', async (_, args, message, hint) => {
    const finished = await run([...args, ...pair.peerOptions('alice')], { cwd: pair.folder });
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expectSentences(finished, 'p2p', message, hint);
  });
});

function withoutWarnings(stderr: string): string {
  return stderr.replace(/^p2p-server: warning: .*\n/gm, '');
}

describe('a mediator', () => {
  const whom = () => pair.peerArguments('alice').slice(2);

  it.each([
    ['whose name does not resolve', 'none.invalid', /none\.invalid port 1 .*(does not resolve|no name server)/],
    ['that is not there', '127.0.0.1', /127\.0\.0\.1 port 1 .*nothing listens there/],
  ])('%s is given up after some seconds, with 3', async (_, host, message) => {
    const startedAt = performance.now();
    const finished = await run([host, '1', ...whom(), '--json']);
    expect(finished.code).toBe(3);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    const [offline, error, bye] = finished.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(offline).toEqual({
      event: 'offline',
      reason: expect.stringMatching(/does not resolve|no name server|nothing listens/),
    });
    expect(error).toMatchObject({ event: 'error', code: 3, message: expect.stringMatching(message) });
    expect(error.hint).toContain('p2p-server');
    expect(bye).toEqual({ event: 'bye' });
    expect(finished.stderr).toMatch(message);
    expect(finished.stderr).not.toMatch(/\n\s+at /);
  });

  it('that does not know the key ends it with 4', async () => {
    const stranger = new Pair();
    onTestFinished(() => stranger.remove());
    await pair.startMediator();
    stranger.port = pair.port;
    const finished = await run(stranger.peerArguments('alice'));
    expect(finished.code).toBe(4);
    expectSentences(finished, 'p2p', /does not admit this key/, /--certs DIR/);
  });

  it('whose key has changed is refused with 4, and nothing is said to it; the new one can be named once', async () => {
    await pair.startMediator().then((mediator) => mediator.stop('SIGTERM'));
    const first = await pair.startMediator();
    const alice = pair.startPeer('alice');
    await alice.next('waiting');
    alice.send({ command: 'message', text: 'kept' });
    await alice.next('message');
    await alice.stop('SIGTERM');
    await first.stop();

    const changed = ['--key', pair.path('bob', 'mykeypair.pem')];
    const places = ['--host', '127.0.0.1', '--port', String(pair.port), '--certs', pair.path('certs')];
    const args = [...places, '--home', pair.path('mediator', 'home'), '--json', ...changed];
    const second = start(args, { program: 'p2p-server' });
    const { fingerprint } = await second.next('listening');
    const refused = await run([...pair.peerArguments('alice'), '--json']);
    expect(refused.code).toBe(4);
    const error = JSON.parse(refused.stdout.split('\n')[0] ?? '');
    expect(error).toMatchObject({ event: 'error', code: 4, hint: expect.stringContaining('--mediator-key') });
    expect(error.message).toContain(fingerprint);

    const told = pair.startPeer('alice', '--mediator-key', String(fingerprint));
    await told.next('waiting');
    told.send({ command: 'status' });
    expect((await told.next('status')).outbox).toBe(1);
    await told.stop('SIGTERM');

    // It is the one that is known from now on: without naming it again, and instead of the first.
    const again = pair.startPeer('alice');
    await again.next('waiting');
    await again.stop('SIGTERM');
    await second.stop();
    await pair.startMediator();
    expect((await run([...pair.peerArguments('alice'), '--json'])).code).toBe(4);
    const back = pair.startPeer('alice', '--mediator-key', String(first.events[0]?.fingerprint));
    await back.next('waiting');
  });
});

describe('a command that makes no sense', () => {
  it('is an error 2 with a sentence on stderr, and the program goes on', async () => {
    await pair.startMediator();
    const alice = pair.startPeer('alice');
    const lines: [string, RegExp][] = [
      ['nonsense', /not JSON/],
      ['[]', /not a JSON object/],
      ['{"command":"fly"}', /no command "fly"/],
      ['{}', /no command/],
      ['{"command":"message"}', /"text" is not a string/],
      ['{"command":"message","text":7}', /"text" is not a string/],
      ['{"command":"message","text":""}', /needs a text/],
      ['{"command":"send","paths":[]}', /"paths"/],
      ['{"command":"send","paths":["/none/such"]}', /none\/such/],
      ['{"command":"accept","transfer":"0"}', /transfer/],
      ['{"command":"decline","transfer":"0"}', /transfer/],
      ['{"command":"cancel","transfer":"../x"}', /transfer/],
    ];
    for (const [line, message] of lines) {
      alice.write(`${line}\n`);
      const error = await alice.next('error');
      expect(error).toMatchObject({ code: 2, message: expect.stringMatching(message) });
      expect(error.hint).not.toBe('');
    }
    alice.write(`{"command":"message","text":"${'x'.repeat(1024 * 1024)}"}\n`);
    expect(await alice.next('error')).toMatchObject({ code: 2 });
    alice.write('\n  \n');
    alice.send({ command: 'status' });
    await alice.next('status');
    expect(alice.stderr).not.toMatch(/\n\s+at /);
    expect(alice.stderr.trimEnd().split('\n')).toHaveLength(lines.length + 1);
  });

  it('such as sending what cannot be sent, sends nothing', async () => {
    await pair.startMediator();
    const alice = pair.startPeer('alice');
    for (const path of [pair.path('none'), pair.path('a.txt/b'), pair.path('dangling'), '/dev/null']) {
      alice.send({ command: 'send', paths: [pair.path('a.txt'), path] });
      expect(await alice.next('error')).toMatchObject({ code: 2, hint: expect.stringMatching(/./) });
    }
    expect(alice.events.filter(({ event }) => event === 'offered')).toEqual([]);
  });
});

describe.runIf(smallDisk.possible)('a full disk', () => {
  const full = /disk is full/;

  /** Leaves no byte free, and returns how to make room again. */
  function fill(disk: string): () => void {
    const filler = join(disk, 'filler');
    const chunk = noise(4096);
    writeFileSync(filler, '');
    for (;;) {
      try {
        writeFileSync(filler, chunk, { flag: 'a' });
      } catch {
        return () => writeFileSync(filler, '');
      }
    }
  }

  async function peerAt(name: 'alice' | 'bob', home: string): Promise<RunningProgram> {
    return start([...pair.peerArguments(name).slice(0, -1), home, '--json']);
  }

  it('under the home lets nobody in with 2, and loses nothing', async () => {
    await pair.startMediator();
    const disk = smallDisk.mount(4 * 1024 * 1024);
    mkdirSync(join(disk, 'home'), { mode: 0o700 });
    const empty = fill(disk);
    const finished = await run([...pair.peerArguments('alice').slice(0, -1), join(disk, 'home')]);
    expect(finished.code).toBe(2);
    expectSentences(finished, 'p2p', /cannot be used|disk is full/, /space/);
    empty();
    await (await peerAt('alice', join(disk, 'home'))).next('waiting');
  });

  it('under one’s own home refuses a message, and takes the next when there is room', async () => {
    await pair.startMediator();
    const disk = smallDisk.mount(4 * 1024 * 1024);
    const alice = await peerAt('alice', join(disk, 'home'));
    const bob = await peerAt('bob', pair.path('bob', 'roomy'));
    await Promise.all([alice.next('connected'), bob.next('connected')]);
    alice.send({ command: 'message', text: 'before' });
    await alice.next('delivered');
    const empty = fill(disk);
    let refused: unknown;
    for (let number = 0; number < 500 && refused === undefined; number += 1) {
      alice.send({ command: 'message', text: `${number} ${'x'.repeat(10_000)}` });
      const answer = await alice.next(({ event, from }) => event === 'error' || (event === 'message' && from === 'me'));
      if (answer.event === 'error') refused = answer;
    }
    expect(refused).toMatchObject({ code: 2, message: expect.stringMatching(full) });
    empty();
    alice.send({ command: 'message', text: 'after' });
    await bob.next((event) => event.event === 'message' && event.text === 'after');
    const said = alice.events.filter(({ event, from }) => event === 'message' && from === 'me');
    const heard = bob.events.filter(({ event, from }) => event === 'message' && from === 'peer');
    expect(heard.map(({ id }) => id)).toEqual(said.map(({ id }) => id));
  });

  it('under the other’s home keeps what is said until there is room', async () => {
    await pair.startMediator();
    const disk = smallDisk.mount(32 * 1024 * 1024);
    const alice = await peerAt('alice', pair.path('alice', 'roomy'));
    const bob = await peerAt('bob', join(disk, 'home'));
    await Promise.all([alice.next('connected'), bob.next('connected')]);
    const empty = fill(disk);
    const texts = Array.from({ length: 40 }, (_, number) => `${number} ${'y'.repeat(60_000)}`);
    for (const text of texts) alice.send({ command: 'message', text });
    expect(await bob.next('error')).toMatchObject({ code: 2, message: expect.stringMatching(full) });
    empty();
    await bob.next((event) => event.event === 'message' && event.text === texts.at(-1));
    const heard = bob.events.filter(({ event }) => event === 'message').map(({ text }) => sha256(String(text)));
    expect(heard).toEqual(texts.map((text) => sha256(text)));
  });
});
