import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeData } from '../../src/protocol/data-frames.js';
import { FrameType, writeFrameHeader } from '../../src/protocol/frames.js';
import type { ManifestEntry, MediatorMessage } from '../../src/protocol/messages.js';
import { HostileMediator } from '../support/hostile-mediator.js';
import { HostilePeer, HostileStage } from '../support/hostile-peer.js';
import { connectTo, secure } from '../support/mediator-client.js';
import { programFile, type RunningProgram, run, start, stopAll } from '../support/program.js';
import { TmuxTerminal, tmuxMissing } from '../support/tmux.js';

/** Everything that comes from outside, at every place where the programs show or tell anything. */

/** A title, a colour by the 8-bit CSI, a clipboard write, a reset, what erases, what turns the text's direction. */
const EVIL = '\u001b]0;evil\u0007\u009b31m\u001b]52;c;ZXZpbA==\u0007\u001bc\u001b[2J\r\b\b\u0000\u202e';
/** Of these the programs write none of their own, on a terminal or elsewhere. */
const OBEYED = /\u001b\][^\u0007]*(evil|ZXZp)|\u001bc|\u009b|\u0000|\u202e/;
/** And of these not when they write lines. */
const OBEYED_IN_LINES = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;
const SIZE = { columns: 100, rows: 30 };

const terminals: TmuxTerminal[] = [];
const peers: HostilePeer[] = [];
let stage: HostileStage;

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  await Promise.all(terminals.splice(0).map((terminal) => terminal.close()));
  await stopAll();
  stage.pair.remove();
});

async function newStage(): Promise<void> {
  stage = new HostileStage('server');
  await stage.pair.startMediator();
}

function anEvilFile(word: string): ManifestEntry {
  // A manifest with a NUL in it is refused, and its name never shown.
  return { path: `${EVIL.replace('\u0000', '')} ${word}`, directory: false, size: 1, mode: 0o644, mtimeMs: 0 };
}

/** Runs p2p in a real terminal. Whatever it writes is kept. */
async function inTerminal(...args: string[]) {
  const terminal = await TmuxTerminal.open(SIZE);
  terminals.push(terminal);
  await terminal.waitFor('$');
  const recording = stage.pair.path(`recording${terminals.length}`);
  await terminal.record(recording);
  const words = [process.execPath, programFile('p2p'), ...args].map((word) => `'${word}'`);
  // Ctrl-C is meant for the program, and the shell lives to tell of it.
  writeFileSync(stage.pair.path('run'), `trap : INT\n${words.join(' ')}\necho "ended with $?"\n`);
  await terminal.type(`sh '${stage.pair.path('run')}'`);
  await terminal.press('Enter');
  return { terminal, written: () => readFileSync(recording, 'utf8') };
}

async function joined(): Promise<HostilePeer> {
  const peer = await HostilePeer.join(stage);
  peers.push(peer);
  return peer;
}

/** Says something evil in every place that the protocol has for words. */
async function sayEverything(peer: HostilePeer): Promise<void> {
  const [one, two, three] = ['ab', 'cd', 'ef'].map((byte) => byte.repeat(16)) as [string, string, string];
  const held = peer.held();
  peer.send({ kind: 'activate', epoch: 9, path: `${EVIL} path`, why: `${EVIL} because`, held });
  peer.send(
    ...peer.items(
      { kind: 'text', text: `${EVIL} text` },
      { kind: 'text', text: `first\n${EVIL}\n12:34 me: second` },
      { kind: 'manifestPart', transfer: one, entries: [anEvilFile('name')] },
      { kind: 'offer', transfer: one, entries: 1, bytes: 1 },
      { kind: 'cancel', transfer: one, reason: `${EVIL} cancelling` },
      { kind: 'manifestPart', transfer: two, entries: [anEvilFile('/../refused')] },
      { kind: 'offer', transfer: two, entries: 1, bytes: 1 },
      { kind: 'decline', transfer: three, reason: EVIL },
    ),
  );
}

describe.skipIf(tmuxMissing)(`on a terminal nothing that the peer says is obeyed${tmuxMissing ?? ''}:`, () => {
  it('in the full screen, its panels, its search and its history', async () => {
    await newStage();
    const chat = stage.pair.peerArguments(stage.victimName);
    const { terminal, written } = await inTerminal(...chat);
    await terminal.waitFor(/waiting/);
    const peer = await joined();
    await sayEverything(peer);
    await terminal.waitFor('12:34 me: second');
    await terminal.waitFor('cancelling');
    for (const command of ['/search text', '/path', '/verify']) {
      await terminal.type(command);
      await terminal.press('Enter');
    }
    await terminal.waitFor(/words/);
    await peer.leave(`${EVIL} farewell`);
    await terminal.waitFor('farewell');
    expect(await terminal.ask('alternate_on')).toBe('1');
    expect(await terminal.ask('pane_title')).not.toContain('evil');
    await terminal.type('/quit');
    await terminal.press('Enter');
    await terminal.waitFor('ended with 0');
    expect(written()).not.toMatch(OBEYED);

    const again = await inTerminal(...chat);
    await again.terminal.waitFor('12:34 me: second');
    expect(again.written()).not.toMatch(OBEYED);
  });

  it('line by line, with what was said before', async () => {
    await newStage();
    const chat = [...stage.pair.peerArguments(stage.victimName), '--plain'];
    const { terminal, written } = await inTerminal(...chat);
    await terminal.waitFor('Waiting');
    const peer = await joined();
    await sayEverything(peer);
    await terminal.waitFor('12:34 me: second');
    await terminal.waitFor('cancelling');
    await peer.leave(`${EVIL} farewell`);
    await terminal.waitFor('farewell');
    await terminal.type('/quit');
    await terminal.press('Enter');
    await terminal.waitFor('ended with 0');
    // What is set in cannot be taken for a line of the program's own.
    expect(await terminal.text()).toMatch(/^ +12:34 me: second/m);
    const again = await inTerminal(...chat);
    await again.terminal.waitFor('12:34 me: second');
    for (const all of [written(), again.written()]) expect(all).not.toMatch(OBEYED);
  });

  it('by p2p receive, which asks, and by p2p send, which is refused', async () => {
    await newStage();
    const whom = stage.pair.peerOptions(stage.victimName);
    const receiving = await inTerminal('receive', '--into', stage.pair.path('into'), ...whom);
    await receiving.terminal.waitFor('Waiting');
    const peer = await joined();
    const transfer = 'ab'.repeat(16);
    peer.send(
      ...peer.items(
        { kind: 'manifestPart', transfer, entries: [anEvilFile('name')] },
        { kind: 'offer', transfer, entries: 1, bytes: 1 },
      ),
    );
    await receiving.terminal.waitFor('[y/N]');
    await receiving.terminal.press('y', 'Enter');
    const { stream } = await peer.next('want');
    peer.send({ kind: 'resume', stream, entry: 0, offset: 0 });
    peer.send(...peer.items({ kind: 'cancel', transfer, reason: `${EVIL} cancelling` }));
    await receiving.terminal.waitFor('cancelling');
    await receiving.terminal.press('C-c');
    await receiving.terminal.waitFor('ended with');
    peer.close();

    writeFileSync(stage.pair.path('mine'), 'x');
    const sending = await inTerminal('send', stage.pair.path('mine'), ...whom);
    await sending.terminal.waitFor('Waiting');
    const other = await joined();
    const offered = await other.next('item', ({ body }) => body.kind === 'offer');
    const id = offered.body.kind === 'offer' ? offered.body.transfer : '';
    other.send(...other.items({ kind: 'decline', transfer: id, reason: `${EVIL} declining` }));
    await sending.terminal.waitFor('ended with 7');
    expect(await sending.terminal.text()).toContain('declining');
    for (const all of [receiving.written(), sending.written()]) expect(all).not.toMatch(OBEYED);
  });

  it('by p2p pipe, whose bytes go to a file as they are', async () => {
    await newStage();
    const { terminal, written } = await inTerminal('pipe', ...stage.pair.peerOptions(stage.victimName));
    await terminal.waitFor('Waiting');
    const peer = await joined();
    await peer.next('pipeWant');
    const bytes = Buffer.from(`${EVIL} piped\n`);
    await peer.write(encodeData(0, 0, 0, bytes));
    await terminal.waitFor('piped');
    expect(written()).not.toMatch(OBEYED);
  });
});

describe('elsewhere than on a terminal it is the same:', () => {
  it('p2p history, as text, as JSON and exported', async () => {
    await newStage();
    const victim = await stage.startVictim();
    await sayEverything(await joined());
    await victim.next((event) => event.event === 'message' && String(event.text).endsWith('second'));
    await victim.stop('SIGTERM');
    const home = ['--home', stage.home()];
    const keys = stage.pair.keys(stage.victimName);
    const target = ['--keys', keys, '--peer', stage.pair.path(stage.hostileName(), 'public.pem'), ...home];
    for (const options of [[], ['--json'], ['--search', 'text']]) {
      const { stdout, stderr, code } = await run(['history', ...target, ...options]);
      expect({ code, shown: stdout.includes('text') }).toEqual({ code: 0, shown: true });
      expect(stdout + stderr).not.toMatch(OBEYED_IN_LINES);
    }
    const exported = stage.pair.path('exported.txt');
    expect((await run(['history', ...target, '--export', exported])).code).toBe(0);
    expect(readFileSync(exported, 'utf8')).not.toMatch(OBEYED_IN_LINES);
  });

  it('the mediator’s output, whatever strangers send and whatever its key files are called', async () => {
    await newStage();
    const certs = stage.pair.path('certs');
    writeFileSync(join(certs, 'x\u001b]0;evil\u0007\u009b31m\n\u202ep2p-server: all is well.pem'), EVIL);
    mkdirSync(join(certs, '\u001b[2J'));
    writeFileSync(join(certs, '\u001b[2J', 'y\r.pem'), 'no key');
    const words = ['--certs', certs, '--key', stage.pair.path('mediator', 'mykeypair.pem'), '--log-level', 'debug'];
    const mediator = start(['--host', '127.0.0.1', '--port', '0', ...words], { program: 'p2p-server' });
    await expect.poll(() => mediator.stderr, { timeout: 20_000 }).toContain('y\ufffd.pem admits nobody');
    const port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(mediator.stdout)?.[1]);
    for (const bytes of [EVIL, `GET /${EVIL} HTTP/1.1\r\n\r\n`, `tbeep/1\n${EVIL.repeat(4)}`]) {
      const socket = await connectTo({ port });
      socket.end(bytes);
      await once(socket.resume(), 'close');
    }
    const said = { kind: 'goodbye', reason: EVIL } as const satisfies MediatorMessage;
    const { secured, stream } = await secure(await connectTo({ port }));
    stream.send(said);
    await once(secured, 'close');
    expect(mediator.stdout + mediator.stderr).not.toMatch(OBEYED_IN_LINES);
    for (const line of mediator.stderr.trimEnd().split('\n')) expect(line).toMatch(/^p2p-server: (warning|debug): /);
  });
});

describe('before anyone has proved who they are', () => {
  it('a peer says nothing but its proof, and no address to anybody, the mediator included', async () => {
    stage = new HostileStage('server');
    const mediator = await HostileMediator.open(stage.pair.identity('mediator'));
    try {
      stage.pair.port = mediator.port;
      const victim = stage.pair.startPeer(stage.victimName, '--timeout', '5');
      const guest = await mediator.guest(stage.victimIdentity.id);
      await mediator.relay(mediator.introduce(guest), 'server');
      await victim.exited;
      const heard = JSON.stringify(mediator.heard);
      expect(mediator.heard.map(({ kind }) => kind).filter((kind) => kind === 'register')).not.toEqual([]);
      expect(heard).not.toMatch(/127\.0\.0\.1|address|candidate/);
      // All that names the pair are the two public ids: there is no room, and nothing made of a secret.
      const [registration] = mediator.heard;
      const ids = { peerId: stage.victimIdentity.id, wantedId: stage.me.id };
      expect(registration).toEqual({ kind: 'register', version: 1, ...ids });
    } finally {
      mediator.close();
    }

    await stage.pair.startMediator();
    const other = await stage.startVictim();
    const stranger = await HostilePeer.secure(stage);
    peers.push(stranger);
    await stranger.next('proof');
    await stranger.ended;
    expect(stranger.heard).toEqual([]);
    expect(other.events.map(({ event }) => event)).not.toContain('connected');
  });

  it.each([
    ['-1', 0xffffffff],
    ['2 GiB', 0x80000000],
    ['256 MiB', 0x10000000],
  ])('a length of %s is refused by its header, at the mediator too, and costs no memory', async (_, length) => {
    await newStage();
    const mediator = await stage.pair.startMediator('--port', '0');
    const before = residentMiB(mediator);
    for (let count = 0; count < 20; count++) {
      const { secured } = await secure(await connectTo({ port: stage.pair.port }));
      const header = Buffer.alloc(5);
      writeFrameHeader(header, FrameType.message, length);
      secured.write(header);
      await once(secured.resume(), 'close');
    }
    expect(residentMiB(mediator) - before).toBeLessThan(100);
  });

  it.runIf(process.platform === 'linux')('packets of any length and content are passed over, at both', async () => {
    await newStage();
    const victim = await stage.startVictim();
    // Who is introduced and does not come keeps the other's ports open.
    const link = await HostilePeer.secure(stage);
    peers.push(link);
    await expect.poll(() => udpPorts(victim.pid).length, { timeout: 10_000 }).toBeGreaterThan(0);
    const socket = dgram.createSocket('udp4');
    let answers = 0;
    socket.on('message', () => {
      answers += 1;
    });
    const ports = [...udpPorts(victim.pid), stage.pair.port, stage.pair.port + 1];
    for (const length of [0, 1, 3, 4, 5, 15, 16, 31, 32, 33, 63, 64, 65, 1_472, 9_000, 65_507]) {
      for (const start of ['', 'tbr1\u0001', 'tbr1\u0002', 'tbu1\0', 'tbu1\u0002', '\u00ff']) {
        const packet = Buffer.alloc(length, 0xa5);
        packet.write(start, 'latin1');
        for (const port of ports)
          await new Promise<void>((sent) => socket.send(packet, port, '127.0.0.1', () => sent()));
      }
    }
    peers.splice(0);
    link.close();
    const peer = await joined();
    peer.send(...peer.items({ kind: 'text', text: 'after the noise' }));
    await victim.next((event) => event.event === 'message' && event.text === 'after the noise');
    expect(answers).toBe(0);
    socket.close();
  });
});

describe('a secret', () => {
  it('is never in the arguments of a program, where every other user could read it', async () => {
    await newStage();
    const folder = stage.pair.path('new');
    expect((await run(['keygen', folder, '--passphrase', 'open sesame'])).code).toBe(2);
    expect(existsSync(folder)).toBe(false);
    for (const option of ['--passphrase=open sesame', '--password=open sesame']) {
      expect((await run([...stage.pair.peerArguments('alice'), option])).code, option).toBe(2);
    }
    if (process.platform !== 'linux') return;
    const environment = { TURBO_BEEP_PASSPHRASE: 'open sesame' };
    const program = start([...stage.pair.peerArguments('alice'), '--json'], { env: environment });
    await program.next('waiting');
    expect(readFileSync(`/proc/${program.pid}/cmdline`, 'utf8')).not.toContain('open sesame');
  });
});

function residentMiB({ pid }: RunningProgram): number {
  if (process.platform !== 'linux') return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** On which a process is bound, as Linux tells. */
function udpPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      } catch {
        return undefined;
      }
    }),
  );
  return ['udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , , , , , , , inode]) => inode !== undefined && inodes.has(inode))
      .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16)),
  );
}
