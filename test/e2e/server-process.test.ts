import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parsePrivatePem } from '../../src/protocol/identity.js';
import { verificationWords } from '../../src/protocol/words.js';
import { connectTo, openRelay, registerWith, secure } from '../support/mediator-client.js';
import { ownTime } from '../support/own-time.js';
import { run, start } from '../support/program.js';
import { ann, bob, cat, program, ServerFixture } from './server-fixture.js';

const fixture = new ServerFixture();
const examples = resolve(import.meta.dirname, '../../certs');

describe('the first start', () => {
  test('makes a key for this user alone, and says on one line of JSON where it listens and who it is', async () => {
    rmSync(fixture.home, { recursive: true });
    const { server, port, fingerprint } = await fixture.start();
    const key = join(fixture.home, 'mediator-key.pem');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    for (const folder of [fixture.home, fixture.certs]) expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(parsePrivatePem(readFileSync(key, 'utf8')).id).toBe(fingerprint);
    const udpPorts = expect.any(Array);
    const listening = { event: 'listening', host: '127.0.0.1', port, udpPorts, fingerprint, keys: 0 };
    expect(JSON.parse(server.stdout)).toEqual(listening);
    expect(server.stdout).toMatch(/^\{.*\}\n$/);
    expect(server.stderr).toBe('');
    expect((await secure(await connectTo({ port }))).mediatorId).toBe(fingerprint);
  });

  test('tells people the fingerprint, the address, the number of keys, and what to do next', async () => {
    fixture.admit('ann', ann);
    const server = start(['--host', '127.0.0.1', '--port', '0', '--home', fixture.home], { program });
    await expect.poll(() => server.stdout, { timeout: 15_000 }).toContain('Ctrl-C ends it.');
    const { id } = parsePrivatePem(readFileSync(join(fixture.home, 'mediator-key.pem'), 'utf8'));
    expect(server.stdout).toContain(id);
    expect(server.stdout).toContain(verificationWords(id).join(' '));
    expect(server.stdout).toMatch(/listening on 127\.0\.0\.1:\d+/);
    expect(server.stdout).toContain(`1 key from ${fixture.certs}`);
    expect(server.stdout).toContain(`Next: put each person's public.pem under ${fixture.certs}`);
  });
});

describe('its key', () => {
  test('is the same after kill -9 and a restart on the same port, and peers come back', async () => {
    fixture.admit('ann', ann);
    const { server, port, fingerprint } = await fixture.start();
    const client = await fixture.register({ port }, ann, bob.id);
    await server.stop('SIGKILL');
    await client.closed;
    const again = await fixture.start('--port', String(port));
    expect(again.fingerprint).toBe(fingerprint);
    await (await fixture.register({ port }, ann, bob.id)).take('waiting');
  });

  test('that everybody has is warned of', async () => {
    const key = join(fixture.home, 'key.pem');
    copyFileSync(join(examples, 'mediator', 'mediator.pem'), key);
    chmodSync(key, 0o600);
    const { server } = await fixture.start('--key', key);
    expect(server.stderr).toMatch(/key\.pem is the example key/);
  });
});

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s tells the peers, and ends it with 0', async (signal) => {
    fixture.admit('ann', ann);
    fixture.admit('bob', bob);
    const { server, port } = await fixture.start();
    const { first, second, introduction } = await fixture.introduce({ port });
    const relay = await openRelay({ port }, introduction);
    for (const socket of [await connectTo({ port }), ...relay]) socket.resume();
    const passedMs = ownTime();
    server.kill(signal);
    for (const client of [first, second]) await client.take('goodbye');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(passedMs()).toBeLessThan(2_000);
    expect(server.stderr).toBe('');
  });

  test('ends it in little more than a second even if a peer does not read', async () => {
    fixture.admit('ann', ann);
    const { server, port } = await fixture.start();
    const client = await fixture.register({ port }, ann, bob.id);
    await client.take('waiting');
    client.secured.pause();
    const passedMs = ownTime();
    expect(await server.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(passedMs()).toBeLessThan(2_500);
  });
});

describe('what cannot work', () => {
  test('a port in use ends it with 2, and says what to do', async () => {
    const { port } = await fixture.start();
    const second = await run(['--host', '127.0.0.1', '--port', String(port), '--home', fixture.home], { program });
    expect(second).toMatchObject({ code: 2, stdout: '' });
    expect(second.stderr).toMatch(/port \d+ is already in use on 127\.0\.0\.1\n.*--port PORT\n$/);
  });

  test.each([
    ['a port that is none', ['--port', '1e3'], /not a port: 1e3/],
    ['an option that is none', ['--frob'], /frob.*\n.*--help/],
    ['an address of another machine', ['--host', '203.0.113.9'], /not an address of this machine/],
    ['a name that does not resolve', ['--host', 'no-such-host.invalid'], /does not resolve/],
    ['a directory that is not there', ['--certs', '/no/such/place'], /does not exist\n.*mkdir/],
    ['a directory that is a file', ['--certs', import.meta.filename], /is not a directory/],
    ['a key that is none', ['--key', import.meta.filename], /is unusable/],
    ['a key where none can be', ['--key', join(import.meta.filename, 'key.pem')], /cannot be/],
  ])('%s ends it with 2, without a stack trace', async (_, args, message) => {
    const { code, stdout, stderr } = await run(['--port', '0', '--home', fixture.home, ...args], { program });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('--help and --version are no errors, and start nothing', async () => {
    rmSync(fixture.home, { recursive: true });
    const help = await run(['--help', '--home', fixture.home], { program });
    expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('--certs') });
    const version = await run(['--version', '--home', fixture.home], { program });
    expect(version).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(existsSync(fixture.home)).toBe(false);
  });
});

test('when nobody reads its output any more, it goes on', async () => {
  fixture.admit('ann', ann);
  const file = resolve(process.env.TURBO_BEEP_DIST ?? resolve(import.meta.dirname, '../../dist'), 'server/main.js');
  const args = ['--host', '127.0.0.1', '--port', '0', '--home', fixture.home, '--json'];
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  const { port } = JSON.parse(line);
  child.stdout.destroy();
  fixture.admit('bob', bob);
  await expect
    .poll(() => registerWith({ port }, bob, ann.id).then((client) => client.close()), { timeout: 5_000 })
    .toBe(undefined);
  fixture.admit('cat', cat);
  await expect
    .poll(() => registerWith({ port }, cat, ann.id).then((client) => client.close()), { timeout: 5_000 })
    .toBe(undefined);
});
