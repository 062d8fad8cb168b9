import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Name, Pair } from '../support/pair.js';
import { DIST, run as runProgram, start, stopAll } from '../support/program.js';

let pair: Pair;

beforeEach(async () => {
  pair = new Pair();
  await pair.startMediator();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

it('carries bytes both ways at once, and the end of each', async () => {
  const [fromAlice, fromBob] = [randomBytes(20 * 1024 * 1024), randomBytes(3 * 1024 * 1024 + 7)];
  const [alice, bob] = await Promise.all([pipe('alice', fromAlice), pipe('bob', fromBob)]);
  expect([alice.code, bob.code]).toEqual([0, 0]);
  expect(sha256(alice.file)).toBe(createHash('sha256').update(fromBob).digest('hex'));
  expect(sha256(bob.file)).toBe(createHash('sha256').update(fromAlice).digest('hex'));
});

it('goes on over the next link when the mediator and every link through it die', async () => {
  await stopAll();
  const mediator = await pair.startMediator();
  const bytes = randomBytes(200 * 1024 * 1024);
  const sending = pipe('alice', bytes, '--paths', 'relay');
  const receiving = pipe('bob', Buffer.alloc(0), '--paths', 'relay');
  await expect.poll(() => sizeOf(pair.path('bob.out')), { interval: 20, timeout: 20_000 }).toBeGreaterThan(1_000_000);
  await mediator.stop('SIGKILL');
  await pair.startMediator();
  const [alice, bob] = await Promise.all([sending, receiving]);
  expect([alice.code, bob.code]).toEqual([0, 0]);
  expect(sha256(bob.file)).toBe(createHash('sha256').update(bytes).digest('hex'));
});

it('ends on both sides when nobody reads on at one', async () => {
  const bytes = Buffer.alloc(1024 * 1024, 'x');
  const [alice, bob] = await Promise.all([
    pipe('alice', bytes),
    run('bob', Buffer.alloc(0), (out) => `| head -c 9 >${out}`),
  ]);
  expect(alice.code).toBe(7);
  expect(sizeOf(bob.file)).toBe(9);
});

it('tells both when the other side has no pipe, and waits for it', async () => {
  const chat = pair.startPeer('bob');
  const alice = start(['pipe', ...pair.peerOptions('alice')]);
  alice.endInput('what alice has');
  const told = await chat.next('error');
  expect(told.message).toMatch(/a p2p pipe at .* waits for one here/);
  expect(told.hint).toContain(`p2p pipe --host 127.0.0.1 --port ${pair.port} --keys ${pair.keys('bob')}`);
  await expect.poll(() => alice.stderr, { timeout: 20_000 }).toContain('There is no pipe at');
  expect(alice.stderr).toContain('to run p2p pipe');
  await chat.stop('SIGTERM');
  const bob = await runProgram(['pipe', ...pair.peerOptions('bob')], { input: 'what bob has' });
  expect(bob).toMatchObject({ code: 0, stdout: 'what alice has' });
  expect((await alice.exited).code).toBe(0);
  expect(alice.stdout).toBe('what bob has');
  // Each was told once, and who came with a pipe was not told at all.
  expect(alice.stderr.match(/no pipe/g)).toHaveLength(1);
  expect(bob.stderr).not.toMatch(/no pipe|waits for one/);
});

/** Runs `p2p pipe` on files, as a shell would. */
function pipe(name: Name, input: Buffer, ...options: string[]) {
  return run(name, input, (out) => `>${out}`, ...options);
}

/** @param where what the shell is to do with the output, given its file */
function run(
  name: Name,
  input: Buffer,
  where: (out: string) => string,
  ...options: string[]
): Promise<{ code: number | null; file: string }> {
  const [from, file] = [pair.path(`${name}.in`), pair.path(`${name}.out`)];
  writeFileSync(from, input);
  const words = [process.execPath, `${DIST}/peer/main.js`, 'pipe', ...pair.peerOptions(name), ...options];
  const script = `${words.map((word) => `'${word}'`).join(' ')} <'${from}' ${where(`'${file}'`)}`;
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve) => shell.once('exit', (code) => resolve({ code, file })));
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
