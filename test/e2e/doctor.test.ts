import { existsSync, readdirSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { credentialsOf } from '../support/credentials.js';
import { newIdentity } from '../support/keys.js';
import { type Name, Pair } from '../support/pair.js';
import { type ProgramEvent, programFile, type RunningProgram, start, stopAll } from '../support/program.js';
import { TmuxTerminal, tmuxMissing } from '../support/tmux.js';

let pair: Pair;

beforeEach(() => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

function startDoctor(name: Name, ...options: string[]): RunningProgram {
  return start(['doctor', ...pair.peerArguments(name), '--json', ...options]);
}

/** What it said of each step, and how it ended. */
async function diagnosis(doctor: RunningProgram) {
  const { code } = await doctor.exited;
  const checks = doctor.events.filter(({ event }) => event === 'check');
  expect(doctor.events.at(-1)).toEqual({ event: 'bye' });
  expect(checks.map(({ step }) => step)).toEqual(STEPS);
  return { code, checks, of: (step: string) => checks.find((check) => check.step === step) };
}

const STEPS = [
  'name',
  'mediator',
  'key',
  'authentication',
  'clock',
  'udp',
  'mapping',
  'address',
  'hairpin',
  'ipv6',
  'port-mapping',
  'peer',
];
const statuses = (checks: ProgramEvent[]) => checks.map(({ step, status }) => `${step} ${status}`);

describe('with a mediator on this machine the doctor', () => {
  it('tells both people the path that it foresaw and the one that opened, and leaves nothing behind', async () => {
    await pair.startMediator();
    const alice = startDoctor('alice');
    const { command } = await alice.next('waiting');
    expect(command).toBe(`p2p doctor 127.0.0.1 ${pair.port} mykeypair.pem public.pem`);
    const bob = startDoctor('bob');
    for (const doctor of [alice, bob]) {
      const { code, checks, of } = await diagnosis(doctor);
      expect(statuses(checks)).toEqual(expect.arrayContaining(['clock ok', 'udp ok', 'mapping ok', 'address ok']));
      expect(of('clock')?.facts).toMatchObject({ mediatorAheadMs: expect.any(Number) });
      expect(of('mapping')?.facts).toMatchObject({ mapping: 'fixed' });
      expect(of('peer')).toMatchObject({ status: 'ok', facts: { predicted: 'tcp-direct', path: 'tcp-direct' } });
      expect(code).toBe(0);
    }
    expect(readdirSync(pair.path('alice', 'home'))).toEqual(['settings.json']);
  });

  it.each([
    ['nobody was named', (words: string[]) => words.filter((word) => !word.endsWith('public.pem'))],
    ['did not come', (words: string[]) => [...words, '--timeout', '1']],
  ])('looks at one side alone when the other %s, and that is well', async (why, change) => {
    await pair.startMediator();
    const alone = await diagnosis(start(change(['doctor', ...pair.peerArguments('alice'), '--json'])));
    expect(alone.of('udp')?.status).toBe('ok');
    expect(alone.of('peer')).toMatchObject({ status: 'skipped', message: expect.stringContaining(why) });
    expect(alone.code).toBe(0);
  });

  it('takes the words of the other commands', async () => {
    await pair.startMediator();
    const alone = await diagnosis(start(['doctor', ...pair.peerOptions('alice'), '--json', '--timeout', '1']));
    expect(alone.of('authentication')?.status).toBe('ok');
    const refused = start(['doctor', 'alice', ...pair.peerOptions('alice')]);
    expect(await refused.exited).toMatchObject({ code: 2 });
  });

  it('leaves when it is told to, while it waits', async () => {
    await pair.startMediator();
    const alice = startDoctor('alice');
    await alice.next('waiting');
    expect(await alice.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(alice.events.at(-1)).toEqual({ event: 'bye' });
  });
});

describe('what keeps two people apart is named, with what to do and the exit code for it:', () => {
  /** The first step that failed, those after it that were not looked at, and what stderr says. */
  async function expectFailure(doctor: RunningProgram, step: string, code: number, message: string): Promise<void> {
    const found = await diagnosis(doctor);
    expect(found.of(step)).toMatchObject({ status: 'failed', message: expect.stringContaining(message) });
    expect(found.of(step)?.hint).not.toBe('');
    expect(found.of('peer')?.status).toBe('skipped');
    expect(found.code).toBe(code);
    expect(doctor.events).toContainEqual(expect.objectContaining({ event: 'error', code }));
    expect(doctor.stderr).toContain(String(found.of(step)?.message));
  }

  it('a port that nobody listens on', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    pair.port = (closed.address() as AddressInfo).port;
    await new Promise((resolve) => closed.close(resolve));
    await expectFailure(startDoctor('alice'), 'mediator', 3, 'nothing listens there');
  });

  it('something else that listens there', async () => {
    const stranger = net.createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    onTestFinished(() => void stranger.close());
    stranger.listen(0, '127.0.0.1');
    await new Promise((resolve) => stranger.once('listening', resolve));
    pair.port = (stranger.address() as AddressInfo).port;
    await expectFailure(startDoctor('alice'), 'key', 3, 'no mediator');
  });

  it('a web server with an RSA key, which is not said to be remembered', async () => {
    const { identity, certificate } = credentialsOf(newIdentity());
    const key = identity.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const stranger = tls.createServer({ key, cert: certificate }, (socket) =>
      socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    onTestFinished(() => void stranger.close());
    stranger.listen(0, '127.0.0.1');
    await new Promise((resolve) => stranger.once('listening', resolve));
    pair.port = (stranger.address() as AddressInfo).port;
    await expectFailure(startDoctor('alice'), 'key', 3, 'no mediator');
  });

  it('a mediator that shows another key than the expected one', async () => {
    await pair.startMediator();
    const expected = pair.path('bob', 'public.pem');
    await expectFailure(startDoctor('alice', '--mediator-key', expected), 'key', 4, 'another key');
  });

  it('a mediator that does not admit the key', async () => {
    await pair.startMediator();
    const [host, port, , peer, ...home] = pair.peerArguments('alice');
    const words = [String(host), String(port), pair.keys('mediator'), String(peer), ...home];
    await expectFailure(start(['doctor', ...words, '--json']), 'authentication', 4, 'does not admit');
  });

  it('no path that both allow', async () => {
    await pair.startMediator('--no-relay');
    const [alice, bob] = (['alice', 'bob'] as const).map((name) => startDoctor(name, '--paths', 'relay'));
    const found = await diagnosis(alice as RunningProgram);
    expect(found.of('peer')).toMatchObject({ status: 'failed', facts: { predicted: null, path: null } });
    expect(found.of('peer')?.message).toContain('carries no sessions');
    expect(found.code).toBe(5);
    await bob?.exited;
  });
});

describe('a conversation is not disturbed by a doctor', () => {
  it('from the same home, which says why it meets nobody', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    const found = await diagnosis(startDoctor('alice'));
    expect(found.of('udp')?.status).toBe('ok');
    expect(found.of('peer')).toMatchObject({ status: 'failed', hint: expect.stringContaining('Quit it first') });
    expect(found.code).toBe(2);
    alice.send({ command: 'message', text: 'still here' });
    expect(await bob.next('message')).toMatchObject({ text: 'still here' });
    expect(alice.events.map(({ event }) => event)).not.toContain('disconnected');
  });

  it('at the other end, where what was said waits for the conversation', async () => {
    await pair.startMediator();
    const bob = pair.startPeer('bob');
    await bob.next('waiting');
    bob.send({ command: 'message', text: 'for the conversation', ref: '1' });
    const found = await diagnosis(startDoctor('alice'));
    expect(found.of('peer')).toMatchObject({ status: 'ok', facts: { path: 'tcp-direct' } });
    expect(existsSync(pair.path('alice', 'home', 'contacts'))).toBe(false);
    expect(bob.events.map(({ event }) => event)).not.toContain('connected');
    const alice = pair.startPeer('alice');
    expect(await alice.next('message')).toMatchObject({ text: 'for the conversation' });
    await bob.next('delivered');
  });
});

describe.skipIf(tmuxMissing)(`on a terminal${tmuxMissing ? `: ${tmuxMissing}` : ''}`, () => {
  it.each([
    { columns: 80, rows: 24 },
    { columns: 40, rows: 12 },
  ])('of $columns columns it says what it waits for, and Ctrl-C leaves the shell as it was', async (size) => {
    await pair.startMediator();
    const terminal = await TmuxTerminal.open(size);
    onTestFinished(() => terminal.close());
    const words = [process.execPath, programFile('p2p'), 'doctor', ...pair.peerArguments('alice')];
    await terminal.type(`clear; trap : INT; ${words.join(' ')}; echo "ended with $?"`);
    await terminal.press('Enter');
    const waiting = await terminal.waitFor(/… 0:0\d Waiting/);
    const unbroken = waiting.replaceAll('\n', '');
    expect(unbroken.replaceAll(' ', '')).toContain(`p2pdoctor127.0.0.1${pair.port}mykeypair.pempublic.pem`);
    await terminal.press('C-c');
    const after = await terminal.waitFor('ended with 0');
    expect(after).toContain('On this side nothing stands');
    expect(after).not.toContain('… 0:');
  });
});
