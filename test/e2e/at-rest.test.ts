import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Pair } from '../support/pair.js';
import { run, start, stopAll } from '../support/program.js';

const pair = new Pair();
const PASSPHRASE = { TURBO_BEEP_PASSPHRASE: 'swordfish' };
const umask = process.umask();

beforeAll(() => {
  // Nothing is left to chance: what these programs make is private by their own doing.
  process.umask(0);
});
afterAll(async () => {
  process.umask(umask);
  await stopAll();
  pair.remove();
});

/** All that is under a folder, itself included, with its rights; the worst case is a walk while programs write. */
function rightsUnder(path: string): [string, string][] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return [];
  const own: [string, string] = [path, (stats.mode & 0o777).toString(8)];
  if (!stats.isDirectory()) return [own];
  return [own, ...readdirSync(path).flatMap((name) => rightsUnder(join(path, name)))];
}

function exposed(path: string): [string, string][] {
  const all = rightsUnder(path);
  expect(all.length).toBeGreaterThan(1);
  return all.filter(([, rights]) => rights !== '600' && rights !== '700');
}

describe('with an encrypted key and no umask,', () => {
  const keys = () => pair.path('locked', 'mykeypair.pem');
  const home = () => ['--home', pair.path('alice', 'home')];

  test('all that a used home holds, and every key and export, is its owner’s alone', async () => {
    expect(
      (await run(['keygen', pair.path('locked'), '--bits', '2048', '--passphrase'], { env: PASSPHRASE })).code,
    ).toBe(0);
    expect(statSync(pair.path('locked', 'public.pem')).mode & 0o777).toBe(0o644);
    expect(statSync(keys()).mode & 0o777).toBe(0o600);
    expect(statSync(pair.path('locked')).mode & 0o777).toBe(0o700);

    pair.admit('locked');
    const mediatorHome = pair.path('fresh-mediator');
    const mediator = start(
      ['--json', '--host', '127.0.0.1', '--port', '0', '--certs', pair.path('certs'), '--home', mediatorHome],
      { program: 'p2p-server' },
    );
    const { port } = await mediator.next('listening');
    const alice = start(['127.0.0.1', String(port), keys(), pair.path('bob', 'public.pem'), '--json', ...home()], {
      env: PASSPHRASE,
    });
    const bobHome = pair.path('bob', 'home');
    const bob = start([
      '127.0.0.1',
      String(port),
      pair.keys('bob'),
      pair.path('locked', 'public.pem'),
      '--json',
      '--home',
      bobHome,
    ]);
    await Promise.all([alice.next('connected', 60_000), bob.next('connected', 60_000)]);
    writeFileSync(pair.path('note.txt'), 'a note');
    alice.send({ command: 'send', paths: [pair.path('note.txt')] });
    const { transfer } = await bob.next('offer');
    bob.send({ command: 'accept', transfer, into: pair.path('in') });
    await alice.next('transferred');
    alice.send({ command: 'message', text: 'hello' });
    await alice.next('delivered');
    const during = [pair.path('alice', 'home'), bobHome, mediatorHome].flatMap(exposed);
    for (const person of [alice, bob, mediator]) await person.stop('SIGTERM');
    const after = [pair.path('alice', 'home'), bobHome, mediatorHome].flatMap(exposed);
    expect({ during, after }).toEqual({ during: [], after: [] });
  });

  test('history opens by the right passphrase, and says so when it is wrong or missing', async () => {
    const options = ['--keys', keys(), '--peer', pair.path('bob', 'public.pem'), ...home()];
    const read = (env: Record<string, string>, ...more: string[]) => run(['history', ...options, ...more], { env });
    expect(await read(PASSPHRASE)).toMatchObject({ code: 0, stdout: expect.stringContaining('hello\n') });
    expect(await read({ TURBO_BEEP_PASSPHRASE: 'wrong' })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('the passphrase does not open the private key'),
    });
    expect(await read({})).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('no passphrase') });
    const exported = pair.path('export.txt');
    expect((await read(PASSPHRASE, '--export', exported)).code).toBe(0);
    expect(statSync(exported).mode & 0o777).toBe(0o600);
  });
});
