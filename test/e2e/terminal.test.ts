import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sha256 } from '../peer/files/helpers/tree.js';
import { newRsaKey } from '../support/keys.js';
import { type Name, Pair } from '../support/pair.js';
import { programFile, start, stopAll } from '../support/program.js';
import { type TmuxOptions, TmuxTerminal, tmuxMissing } from '../support/tmux.js';
import { Wire } from '../support/wire.js';

/** The real program in real terminals, talked to as a person does. */

const LARGE = { columns: 80, rows: 24 };
const SMALL = { columns: 40, rows: 12 };

let pair: Pair;
let scripts = 0;
const terminals: TmuxTerminal[] = [];

beforeEach(async () => {
  pair = new Pair();
  await pair.startMediator();
});

afterEach(async () => {
  await Promise.all(terminals.splice(0).map((terminal) => terminal.close()));
  await stopAll();
  pair.remove();
});

/** A shell in a terminal, in the pair's folder, whose settings were noted. */
async function openShell(size: TmuxOptions): Promise<TmuxTerminal> {
  const terminal = await TmuxTerminal.open(size);
  terminals.push(terminal);
  await terminal.waitFor('$');
  await enter(terminal, `cd '${pair.folder}'; stty -a > settings; clear; echo before`);
  await terminal.waitFor(/^before$/m);
  return terminal;
}

async function enter(terminal: TmuxTerminal, line: string): Promise<void> {
  await terminal.type(line);
  await terminal.press('Enter');
}

/** Runs p2p there, and tells afterwards how it ended. What is typed is short, for a small screen is soon full. */
async function runIn(terminal: TmuxTerminal, ...args: string[]): Promise<void> {
  scripts += 1;
  const words = [process.execPath, programFile('p2p'), ...args].map((word) => `'${word}'`);
  // Ctrl-C is meant for the program, and the shell lives to tell of it.
  writeFileSync(pair.path(`run${scripts}`), `trap : INT\n${words.join(' ')}\necho "ended with $?"\n`);
  await enter(terminal, `sh run${scripts}`);
}

async function openChat(name: Name, size: TmuxOptions): Promise<TmuxTerminal> {
  const terminal = await openShell(size);
  await runIn(terminal, ...pair.peerArguments(name));
  await terminal.waitFor('› Write to');
  return terminal;
}

function mediatorArguments() {
  const options = ['--certs', pair.path('certs'), '--home', pair.path('another'), '--host', '127.0.0.1', '--port', '0'];
  return ['p2p-server', options] as const;
}

/** The shell is back, the screen is the one from before, and the terminal's settings are too. */
async function expectGivenBack(terminal: TmuxTerminal, code = 0): Promise<void> {
  const text = await terminal.waitFor(`ended with ${code}`);
  expect(text).toMatch(/^before\n/);
  expect(text).not.toContain('›');
  for (const format of ['alternate_on', 'mouse_any_flag', 'mouse_sgr_flag', 'bracket_paste_flag']) {
    expect([format, await terminal.ask(format)]).toEqual([format, expect.not.stringMatching(/1/)]);
  }
  expect(await terminal.ask('cursor_flag')).toBe('1');
  await enter(terminal, 'clear; stty -a | cmp settings - && echo the same');
  await terminal.waitFor(/^the same$/m);
}

describe.skipIf(tmuxMissing)(`the full screen${tmuxMissing ? `: ${tmuxMissing}` : ''}`, () => {
  it.each([
    ['80x24 to 40x12', LARGE, SMALL],
    ['40x12 to 80x24', SMALL, LARGE],
  ])('shows one conversation to two people, and lives through a resize from %s', async (_, size, otherSize) => {
    const alice = await openChat('alice', size);
    await alice.waitFor(/waiting/);
    const bob = await openChat('bob', otherSize);
    await Promise.all([
      alice.waitFor(/^ [0-9a-f]+.* {2}(tcp|udp|relay)/),
      bob.waitFor(/^ [0-9a-f]+.* {2}(tcp|udp|relay)/),
    ]);

    await enter(alice, 'Grüße 👩‍👩‍👧 🏳️‍🌈 你好|');
    await bob.waitFor('你好|');
    await enter(bob, 'ok 中文 e\u0301|');
    await alice.waitFor('ok 中文');
    await alice.waitFor('✓✓');

    await alice.resize(otherSize.columns, otherSize.rows);
    const ruler = '─'.repeat(otherSize.columns);
    const resized = await alice.waitFor((text) => text.split('\n').at(-2) === ruler);
    expect(resized.split('\n')).toHaveLength(otherSize.rows);
    expect(resized).toContain('ok 中文');
    await enter(alice, 'after the resize');
    await bob.waitFor('after the resize');

    await alice.press('C-c');
    await expectGivenBack(alice);
    await bob.waitFor(/waiting/);
    await enter(bob, '/quit');
    await expectGivenBack(bob);
  });

  it.each([LARGE, SMALL])('ends at Ctrl-D on an empty line, and deletes with it on another: %o', async (size) => {
    const alice = await openChat('alice', size);
    await alice.type('xyz');
    await alice.press('Home', 'C-d');
    await alice.waitFor(/^› yz$/m);
    await alice.press('C-d', 'C-d');
    await alice.waitFor('› Write to');
    await alice.press('C-d');
    await expectGivenBack(alice);
  });

  it.each([
    [LARGE, 'waiting for the connection'],
    [SMALL, 'waiting'],
  ])('says of a transfer without a link that it waits for one: %o', async (size, words) => {
    const wire = await Wire.open(pair.port);
    pair.door = wire.port;
    writeFileSync(pair.path('big'), Buffer.alloc(24 * 1024 * 1024));
    const taking = ['receive', '--into', pair.path('into'), '--yes', '--paths', 'relay'];
    start([...taking, ...pair.peerOptions('bob')]);
    const alice = await openShell(size);
    const full = wire.holdAfter(8 * 1024 * 1024);
    await runIn(alice, 'send', pair.path('big'), ...pair.peerOptions('alice'), '--paths', 'relay');
    await full;
    await alice.waitFor(/^big .*%/m);
    wire.close();
    const text = await alice.waitFor((screen) => screen.trimEnd().endsWith(words));
    expect(text).not.toMatch(new RegExp(`/s.*${words}`));
    await alice.press('C-c');
    await alice.waitFor('ended with 7');
  });

  it('shows what a hostile peer says as letters, and obeys none of it', async () => {
    const bob = pair.startPeer('bob');
    const alice = await openChat('alice', LARGE);
    await bob.next('connected');
    const escapes =
      '\x1b[2J\x1b[H\x1b]0;owned\x07\x1b[?1049l\x1bc\x9b31m\x1b]52;c;b3duZWQ=\x07\x0e\x08\x08\r\u202eevil';
    bob.send({ command: 'message', text: `first ${escapes} last` });
    bob.send({ command: 'message', text: 'ended well\n$ rm -rf /' });
    const text = await alice.waitFor('rm -rf');
    expect(text).toMatch(/first .*\[2J.*\[H.*owned/);
    expect(text.split('\n')[0]).toMatch(/^ [0-9a-f]{16} /);
    expect(text.split('\n').at(-2)).toBe('─'.repeat(80));
    expect(await alice.ask('alternate_on')).toBe('1');
    expect(await alice.ask('pane_title')).not.toContain('owned');
    await alice.press('C-c');
    await expectGivenBack(alice);
  });

  it('takes what is offered by /accept, and sends by /send', async () => {
    const bob = pair.startPeer('bob');
    const alice = await openChat('alice', SMALL);
    await bob.next('connected');
    writeFileSync(pair.path('my picture.png'), 'pixels');
    writeFileSync(pair.path('\x1b[2Jevil'), '');
    bob.send({ command: 'send', paths: [pair.path('my picture.png'), pair.path('\x1b[2Jevil')] });
    const offered = await alice.waitFor('/accept 1');
    expect(offered).toContain('my picture.png');
    await enter(alice, '/accept 1 "for me"');
    const { transfer } = await bob.next('transferred');
    await alice.waitFor('Received');
    expect(readFileSync(pair.path('for me/my picture.png'), 'utf8')).toBe('pixels');

    await enter(alice, `/send "my picture.png"`);
    const offer = await bob.next('offer');
    expect(offer.transfer).not.toBe(transfer);
    bob.send({ command: 'accept', transfer: offer.transfer, into: pair.path('for bob') });
    const { sha256: hash } = await bob.next('file');
    expect(hash).toBe(sha256('pixels'));
    await alice.press('C-c');
    await expectGivenBack(alice);
  });

  it('says that the link is gone when the other is killed, and then that it is back', async () => {
    const alice = await openChat('alice', LARGE);
    const bob = pair.startPeer('bob');
    await bob.next('connected');
    await alice.waitFor(/ {2}(tcp|udp|relay)/);
    await bob.stop('SIGKILL');
    await alice.waitFor(/The link is gone[\s\S]*Waiting for/);
    await enter(alice, 'are you back?');
    await alice.waitFor(/^ .*1 to deliver/);
    const again = pair.startPeer('bob');
    await again.next((event) => event.event === 'message' && event.text === 'are you back?');
    await alice.waitFor(/The link is gone[\s\S]*Connected to/);
    await alice.waitFor(/✓✓ +me/);
  });

  it('says that the mediator is out of reach, and gives the terminal back when it is refused', async () => {
    await stopAll();
    const alice = await openChat('alice', LARGE);
    expect(await alice.waitFor('ended with 3')).toContain('cannot be reached');
    await expectGivenBack(alice, 3);
  });
});

describe.skipIf(tmuxMissing)(`on a terminal${tmuxMissing ? `: ${tmuxMissing}` : ''}`, () => {
  it.each(['chat', 'mediator'])('ends in good order when its terminal is closed (%s)', async (which) => {
    const terminal = await openShell(LARGE);
    const [program, args] = which === 'chat' ? (['p2p', pair.peerArguments('alice')] as const) : mediatorArguments();
    const words = [process.execPath, programFile(program), ...args].map((word) => `'${word}'`);
    // The shell lives to tell of it; its programs are hung up on all the same.
    writeFileSync(pair.path('closed'), `trap '' HUP\n${words.join(' ')}\necho $? >ended\n`);
    await enter(terminal, 'sh closed');
    await terminal.waitFor(which === 'chat' ? '› Write to' : 'listening');
    terminals.splice(terminals.indexOf(terminal), 1);
    await terminal.close();
    await vi.waitUntil(() => existsSync(pair.path('ended')) && readFileSync(pair.path('ended'), 'utf8') !== '', {
      timeout: 20_000,
    });
    expect(readFileSync(pair.path('ended'), 'utf8')).toBe('0\n');
  });

  it('a passphrase is asked for until it is right, and never shown', async () => {
    const key = newRsaKey();
    const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'swordfish' });
    writeFileSync(pair.path('locked.pem'), pem, { mode: 0o600 });
    const terminal = await openShell(LARGE);
    const args = pair.peerArguments('alice').with(2, pair.path('locked.pem'));
    await runIn(terminal, ...args, '--timeout', '5');
    await terminal.waitFor('Passphrase of');
    await enter(terminal, 'codfish');
    await terminal.waitFor(/Passphrase of[\s\S]*does not open it. Passphrase of/);
    await enter(terminal, 'swordfish');
    const text = await terminal.waitFor('ended with 4');
    expect(text).not.toMatch(/codfish|swordfish/);
    expect(text).toContain('does not admit this key');
  });

  it('p2p receive asks before it takes anything', async () => {
    const terminal = await openShell(LARGE);
    await runIn(terminal, 'receive', '--into', 'into', ...pair.peerOptions('bob'));
    const alice = pair.startPeer('alice');
    writeFileSync(pair.path('a.txt'), 'a');
    const recording = pair.path('recording');
    await terminal.record(recording);
    for (const [answer, outcome, tooMuch] of [
      ['n', 'declined', 'yEs'],
      ['', 'declined', 'YeS'],
      ['y', 'transferred', 'YES'],
    ] as const) {
      alice.send({ command: 'send', paths: [pair.path('a.txt')] });
      await terminal.waitFor((text) => text.trimEnd().endsWith('[y/N]'));
      await enter(terminal, answer);
      await alice.next(outcome);
      // Once too often, as it happens to people: it is no answer to the next question, if it was there before.
      await terminal.sendBytes(`${tooMuch}\r`);
      await expect.poll(() => readFileSync(recording, 'latin1')).toContain(`${tooMuch}\r\n`);
    }
    expect(readFileSync(pair.path('into/a.txt'), 'utf8')).toBe('a');
    await terminal.press('C-c');
    await terminal.waitFor('ended with 0');
  });

  it('p2p --plain reads lines and prints what happens', async () => {
    const terminal = await openShell(LARGE);
    await runIn(terminal, ...pair.peerArguments('alice'), '--plain');
    const bob = pair.startPeer('bob');
    await terminal.waitFor('Connected to');
    bob.send({ command: 'message', text: 'plain \x1b[2J words' });
    const { id } = await bob.next('message');
    await bob.next((event) => event.event === 'read' && event.id === id);
    expect(await terminal.waitFor('words')).toMatch(/^before\n/);
    await enter(terminal, 'an answer');
    await bob.next((event) => event.event === 'message' && event.text === 'an answer');
    await terminal.press('C-c');
    await expectGivenBack(terminal);
  });
});
