import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { roleOf } from '../../src/protocol/peer-handshake.js';
import { PREFACE_BYTES, prefaceOf } from '../../src/protocol/preface.js';
import type { Role } from '../../src/protocol/transcripts.js';
import { credentialsOf } from '../support/credentials.js';
import { type Guest, HostileMediator } from '../support/hostile-mediator.js';
import { connectTo, RefusedByMediator, registerWith } from '../support/mediator-client.js';
import { type Name, OTHER, Pair } from '../support/pair.js';
import { type RunningProgram, run, start, stopAll } from '../support/program.js';
import { readToEnd } from '../support/streams.js';

/** Carol has a key that the mediator admits, and would like to reach, be, or overhear alice or bob. */

/** Type, version and length (RFC 8446, section 5.1). */
const TLS_RECORD_HEAD_BYTES = 5;

let pair: Pair;

beforeEach(() => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

describe('Carol, at an honest mediator', () => {
  it('is not taken for alice with her own key, and bob hears nothing of it', async () => {
    await pair.startMediator();
    const bob = pair.startPeer('bob');
    await bob.next('waiting');
    const pretender = { ...pair.identity('carol'), id: pair.identity('alice').id };
    const attempt = registerWith({ port: pair.port }, pretender, pair.identity('bob').id);
    await expect(attempt).rejects.toThrow(RefusedByMediator);
    const alice = pair.startPeer('alice');
    await bob.next('connected');
    const again = registerWith({ port: pair.port }, pretender, pair.identity('bob').id);
    await expect(again).rejects.toThrow(RefusedByMediator);
    alice.send({ command: 'message', text: 'undisturbed' });
    await bob.next((event) => event.event === 'message');
    const told = bob.events.map(({ event }) => event);
    for (const trouble of ['disconnected', 'offline', 'error']) expect(told).not.toContain(trouble);
  });

  it('who names bob is told no more than if he were away, and he never learns of her', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    const carol = start([...argumentsOf('carol', 'bob'), '--json', '--timeout', '4']);
    expect(await carol.exited).toEqual({ code: 5, signal: null });
    const bobIsHere = carol.events.map(({ event }) => event);
    bob.send({ command: 'quit' });
    await bob.exited;
    await alice.next('disconnected');
    const again = start([...argumentsOf('carol', 'bob'), '--json', '--timeout', '4']);
    await again.exited;
    expect(again.events.map(({ event }) => event)).toEqual(bobIsHere);
    expect(bobIsHere).toEqual(['online', 'waiting', 'error', 'bye']);
    expect(bob.events.map(({ event }) => event)).not.toContain('error');
    expect(bob.stdout + bob.stderr).not.toContain(pair.identity('carol').id.slice(0, 16));
  });

  it.each([
    ['says nothing', () => Buffer.alloc(0)],
    ['speaks TLS', () => Buffer.from('16030100050100000100', 'hex')],
    ['makes up a token', () => prefaceOf(randomBytes(32), 'client')],
    ['sends rubbish', () => randomBytes(PREFACE_BYTES)],
  ])('gets not a byte from the ports that peers listen on if she %s', async (_, opening) => {
    await pair.startMediator();
    // Who is introduced and does not come keeps the other's ports open.
    const alice = pair.startPeer('alice');
    await alice.next('waiting');
    const bob = await registerWith({ port: pair.port }, pair.identity('bob'), pair.identity('alice').id);
    onTestFinished(() => bob.destroy());
    await bob.take('introduction');
    await expect.poll(() => listeningPorts(alice.pid), { timeout: 10_000 }).not.toEqual([]);
    const ports = [...listeningPorts(alice.pid), pair.port];
    const answers = ports.map(async (port) => {
      const socket = await connectTo({ port });
      const all = readToEnd(socket);
      socket.write(opening());
      // Whatever the other end still wanted to say would come before its own end.
      socket.end();
      return [port === pair.port ? 'mediator' : 'peer', (await all).length];
    });
    for (const [whose, bytes] of await Promise.all(answers)) {
      // A TLS alert, which says nothing about anyone, is all that a mediator's port may answer to broken TLS.
      if (whose === 'peer') expect(bytes).toBe(0);
      else expect(bytes).toBeLessThanOrEqual(7);
    }
    alice.send({ command: 'status' });
    await alice.next('status');
  });
});

/** As one person's program, wanting another. */
function argumentsOf(name: string, wanted: string): string[] {
  const home = ['--home', pair.path(name, 'home')];
  return ['127.0.0.1', String(pair.port), pair.keys(name), pair.path(wanted, 'public.pem'), ...home];
}

/** TCP ports on which a process listens, as Linux tells. */
function listeningPorts(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1]),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === '0A' && inodes.has(inode))
      .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16)),
  );
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

describe('a hostile mediator', () => {
  let mediator: HostileMediator;

  beforeEach(async () => {
    mediator = await HostileMediator.open(pair.identity('mediator'));
    pair.port = mediator.port;
  });

  afterEach(() => mediator.close());

  /** The one of the two who is TLS client, or server, in their links. */
  function inRole(role: Role): Name {
    const [alice, bob] = [pair.identity('alice'), pair.identity('bob')];
    return roleOf(alice.id, bob.id) === role ? 'alice' : 'bob';
  }

  /** Starts the victim, and introduces carol to it in the other's place. */
  async function introduceCarol(role: Role, ...options: string[]) {
    const name = inRole(role);
    const victim = pair.startPeer(name, '--timeout', '5', ...options);
    const guest = await mediator.guest(pair.identity(name).id);
    return { victim, guest, stream: await mediator.relay(mediator.introduce(guest), role) };
  }

  function carolsCredentials(): tls.SecureContextOptions {
    const { certificate, identity } = credentialsOf(pair.identity('carol'));
    return { cert: certificate, key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  }

  async function expectImpostorFound(victim: RunningProgram): Promise<void> {
    expect(await victim.exited).toEqual({ code: 6, signal: null });
    const error = victim.events.find(({ event }) => event === 'error');
    expect(error).toMatchObject({ code: 6, message: expect.stringContaining('another key') });
    expect(error?.hint).toContain('p2p id');
    expect(victim.events.map(({ event }) => event)).not.toContain('connected');
  }

  it('that brings carol as the TLS server: she sees no certificate, and the program ends with 6', async () => {
    const { victim, stream } = await introduceCarol('client');
    const fromVictim: Buffer[] = [];
    stream.on('data', (bytes: Buffer) => fromVictim.push(bytes));
    const carol = new tls.TLSSocket(stream, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      ...carolsCredentials(),
    });
    let finished = false;
    carol.on('secure', () => {
      finished = true;
    });
    carol.on('error', () => {});
    const said = await readToEnd(carol);
    expect(said).toHaveLength(0);
    expect(finished).toBe(false);
    expect(carol.getPeerX509Certificate()).toBeUndefined();
    // After its first words, at most a change of cipher and an alert: far too little for a certificate.
    const [, ...after] = fromVictim;
    expect(Buffer.concat(after).length).toBeLessThan(64);
    await expectImpostorFound(victim);
  });

  it.each([
    ['with her own certificate', carolsCredentials],
    ['without any certificate', () => ({})],
  ])(
    'that brings carol as the TLS client %s: she gets no proof, and the program ends with 6',
    async (_, credentials) => {
      const { victim, stream } = await introduceCarol('server');
      const carol = tls.connect({ socket: stream, rejectUnauthorized: false, ...credentials() });
      carol.on('error', () => {});
      expect(await readToEnd(carol)).toHaveLength(0);
      await expectImpostorFound(victim);
    },
  );

  /** Brings the two together over a relay that does to their bytes what it likes. */
  async function carry(client: Guest, server: Guest, look: (bytes: Buffer) => void): Promise<void> {
    const introduction = mediator.introduce(client, server);
    const one = await mediator.relay(introduction, 'client');
    const other = await mediator.relay(introduction, 'server');
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        look(bytes);
        to.write(bytes);
      });
      from.on('close', () => to.destroy());
    }
  }

  it('that brought carol first does no harm once it brings the right one, and overhears only ciphertext', async () => {
    const { victim, guest, stream } = await introduceCarol('client', '--paths', 'relay');
    new tls.TLSSocket(stream, { isServer: true, requestCert: true, ...carolsCredentials() }).on('error', () => {});
    await once(stream, 'close');

    const name = OTHER[inRole('client')];
    const other = pair.startPeer(name, '--paths', 'relay');
    const overheard: Buffer[] = [];
    await carry(
      guest,
      await mediator.guest(pair.identity(name).id),
      (bytes) => void overheard.push(Buffer.from(bytes)),
    );
    await Promise.all([victim.next('connected'), other.next('connected')]);
    victim.send({ command: 'message', text: 'for your eyes only' });
    await other.next((event) => event.event === 'message' && event.text === 'for your eyes only');
    const everything = Buffer.concat(overheard);
    for (const secret of ['for your eyes only', 'turbo-beep']) expect(everything.includes(secret)).toBe(false);
    for (const each of ['alice', 'bob']) expect(everything.includes(pair.identity(each).spki)).toBe(false);
  });

  it('that changes a single bit is found out, and what it changed is not shown', async () => {
    const names = { client: inRole('client'), server: OTHER[inRole('client')] };
    const client = pair.startPeer(names.client, '--paths', 'relay');
    const server = pair.startPeer(names.server, '--paths', 'relay');
    const guests = {
      client: await mediator.guest(pair.identity(names.client).id),
      server: await mediator.guest(pair.identity(names.server).id),
    };
    let flip = 0;
    await carry(guests.client, guests.server, (bytes) => {
      // In the first record of however many: what came before it would rightly be shown.
      const at = Math.min(TLS_RECORD_HEAD_BYTES, bytes.length - 1);
      bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
    });
    await Promise.all([client.next('connected'), server.next('connected')]);
    flip = 1;
    client.send({ command: 'message', text: 'pay Carol 1 €' });
    await Promise.all([client.next('disconnected'), server.next('disconnected')]);
    expect(server.events.map(({ event }) => event)).not.toContain('message');
    await carry(guests.client, guests.server, () => {});
    await server.next((event) => event.event === 'message' && event.text === 'pay Carol 1 €');
  });

  it('whose key is not the pinned one hears nothing at all', async () => {
    const alice = pair.startPeer('alice');
    await alice.next('online');
    await alice.stop();
    const { port } = mediator;
    mediator.close();
    mediator = await HostileMediator.open(pair.identity('carol'), port);
    const { code, stderr } = await run(pair.peerArguments('alice'));
    expect(code).toBe(4);
    expect(stderr).toContain(pair.identity('carol').id);
    expect(mediator.heard).toEqual([]);
    const named = await run([...pair.peerArguments('bob'), '--mediator-key', pair.path('mediator', 'public.pem')]);
    expect(named.code).toBe(4);
    expect(mediator.heard).toEqual([]);
  });
});
