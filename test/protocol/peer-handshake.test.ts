import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MAX_FRAME_UNPROVEN } from '../../src/protocol/constants.js';
import { LinkClosedError, ProtocolError, WrongPeerError } from '../../src/protocol/errors.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import { encodeFrame, FrameType } from '../../src/protocol/frames.js';
import type { Identity } from '../../src/protocol/identity.js';
import type { Link } from '../../src/protocol/link.js';
import type { Hello, PathKind, PeerMessage } from '../../src/protocol/messages.js';
import { openLink, roleOf, type SecondHandshake } from '../../src/protocol/peer-handshake.js';
import { prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { signPss } from '../../src/protocol/signatures.js';
import { exporterOf, type TlsCredentials, tlsClient, tlsServer } from '../../src/protocol/tls.js';
import { PEER_EXPORTER_LABEL, peerTranscript, type Role } from '../../src/protocol/transcripts.js';
import { peerCodec } from '../../src/protocol/wire.js';
import { credentialsOf, newPair } from '../support/credentials.js';
import { newIdentity } from '../support/keys.js';
import { byteByByte, closed, openSockets, recorded, socketPair } from '../support/streams.js';

const pair = newPair();
const stranger = credentialsOf(newIdentity());
const never = new AbortController().signal;
const other = (role: Role): Role => (role === 'client' ? 'server' : 'client');
const credentialsIn = (role: Role): TlsCredentials => (role === 'client' ? pair.small : pair.great);

function handshake(role: Role, change: Partial<SecondHandshake> = {}): SecondHandshake {
  return {
    credentials: credentialsIn(role),
    peer: credentialsIn(other(role)).identity,
    path: 'tcp-direct',
    dialled: role === 'client',
    remote: '127.0.0.1:1',
    sameNetwork: true,
    signallingOnly: false,
    runId: 'aa'.repeat(16),
    journalId: 'bb'.repeat(16),
    ...change,
  };
}

async function linkOver(stream: Duplex, options: SecondHandshake, signal = never): Promise<Link> {
  const link = await openLink(stream, options, signal);
  onTestFinished(() => link.destroy(new LinkClosedError('the test is over')));
  return link;
}

/** Tells what kinds of handshake messages came, and how the connection ended. */
async function overhear(stream: FramedStream<PeerMessage>): Promise<string[]> {
  const kinds: string[] = [];
  for (;;) {
    try {
      kinds.push((await stream.next(never)).kind);
    } catch {
      return kinds;
    }
  }
}

describe('the right two peers', () => {
  test.each([
    ['the TLS client dialled', 'client'],
    ['the TLS server dialled', 'server'],
  ] as [string, Role][])('connect when %s, after prefaces, and each knows what the other said', async (_, dialler) => {
    const token = randomBytes(32);
    const [dialled, accepted] = await socketPair();
    const open = async (role: Role) => {
      const stream = role === dialler ? dialled : accepted;
      if (role === dialler) stream.write(prefaceOf(token, role));
      await readPreface(stream, never);
      if (role !== dialler) stream.write(prefaceOf(token, role));
      const path: PathKind = role === dialler ? 'tcp-punch' : 'tcp-direct';
      return await linkOver(
        stream,
        handshake(role, { path, dialled: role === dialler, runId: `${role === 'client' ? 'c' : 'd'}`.repeat(32) }),
      );
    };
    const [client, server] = await Promise.all([open('client'), open('server')]);
    expect(client.facts).toMatchObject({
      role: 'client',
      path: 'tcp-punch',
      hello: { runId: 'd'.repeat(32), group: '' },
    });
    expect(server.facts).toMatchObject({ role: 'server', path: 'tcp-punch', hello: { runId: 'c'.repeat(32) } });
    expect(client.facts.group).toMatch(/^X25519/);
    expect(server.facts.group).toBe(client.facts.group);
  });

  test('connect where every byte comes by itself, both ways', async () => {
    const [dialled, accepted] = await socketPair();
    const [client, server] = await Promise.all([
      linkOver(byteByByte(dialled), handshake('client')),
      linkOver(byteByByte(accepted), handshake('server')),
    ]);
    expect([client.closed, server.closed]).toEqual([false, false]);
  });

  test('connect when the ClientHello came in one piece with the preface', async () => {
    const [dialled, accepted] = await socketPair();
    dialled.write(prefaceOf(Buffer.alloc(32), 'client'));
    const connecting = linkOver(dialled, handshake('client'));
    while (accepted.readableLength <= 40) {
      accepted.read(0);
      await new Promise(setImmediate);
    }
    await readPreface(accepted, never);
    const [client] = await Promise.all([connecting, linkOver(accepted, handshake('server'))]);
    expect(client.closed).toBe(false);
  });

  test('have one role each, whichever asks', () => {
    const { small, great } = pair;
    expect(roleOf(small.identity.id, great.identity.id)).toBe('client');
    expect(roleOf(great.identity.id, small.identity.id)).toBe('server');
  });

  test.each([
    ['relay', 'tcp-direct'],
    ['', 'tcp-direct'],
    ['teleport', 'tcp-direct'],
    ['udp-punch', 'udp-punch'],
  ])('call a path by its opener’s name %o for it only if it can be that one', async (told, shown) => {
    const [dialled, accepted] = await socketPair();
    const [, server] = await Promise.all([
      linkOver(dialled, handshake('client', { path: told as PathKind })),
      linkOver(accepted, handshake('server')),
    ]);
    expect(server.facts.path).toBe(shown);
  });
});

describe('someone else’s key', () => {
  test('in the TLS server’s place is a WrongPeerError, and the client’s certificate does not leave', async () => {
    const [dialled, accepted] = await socketPair();
    const { stream, received } = recorded(accepted);
    const impostor = new tls.TLSSocket(stream, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      key: stranger.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: stranger.certificate,
    });
    const onSecure = vi.fn();
    impostor.on('secure', onSecure).on('error', () => {});
    await expect(openLink(dialled, handshake('client'), never)).rejects.toThrow(WrongPeerError);
    await closed(accepted);
    expect(onSecure).not.toHaveBeenCalled();
    expect(impostor.getPeerX509Certificate()).toBeUndefined();
    const clientHello = 5 + received().readUInt16BE(3);
    // After the ClientHello at most the 6 bytes that TLS 1.3 sends for old middleboxes, and no Certificate.
    expect(received().length - clientHello).toBeLessThanOrEqual(6);
  });

  test('in the TLS client’s place is a WrongPeerError, and it gets no proof', async () => {
    const [dialled, accepted] = await socketPair();
    const serving = openLink(accepted, handshake('server'), never);
    const outcome = expect(serving).rejects.toThrow(WrongPeerError);
    const impostor = await tlsClient(dialled, stranger, () => {}, never);
    const framed = new FramedStream(impostor, peerCodec, MAX_FRAME_UNPROVEN);
    framed.send({ kind: 'proof', signature: signPss(stranger.identity.privateKey, Buffer.from('anything')) });
    expect(await overhear(framed)).toEqual([]);
    await outcome;
    await closed(accepted);
  });

  test('is noticed on both sides at once if each named somebody else', async () => {
    const [dialled, accepted] = await socketPair();
    const [one, two] = await Promise.allSettled([
      openLink(dialled, handshake('client', { peer: withId(stranger.identity, 'f') }), never),
      openLink(accepted, handshake('server', { peer: withId(stranger.identity, '0') }), never),
    ]);
    expect(one).toMatchObject({ reason: { name: 'WrongPeerError' } });
    expect(two.status).toBe('rejected');
  });
});

/** With an id that gives the wanted role. */
function withId(identity: Identity, digit: string): Identity {
  return { ...identity, id: digit.repeat(64) };
}

test('a TLS client without a certificate is a WrongPeerError, and gets no proof', async () => {
  const [dialled, accepted] = await socketPair();
  const outcome = expect(openLink(accepted, handshake('server'), never)).rejects.toThrow('no certificate was shown');
  const nobody = await tlsClient(dialled, null, () => {}, never);
  expect(await overhear(new FramedStream(nobody, peerCodec, MAX_FRAME_UNPROVEN))).toEqual([]);
  await outcome;
});

test('TLS 1.2 is refused, even with the right key', async () => {
  const [dialled, accepted] = await socketPair();
  const old = tls.connect({
    socket: dialled,
    key: pair.small.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: pair.small.certificate,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
  });
  old.on('error', () => {});
  await expect(openLink(accepted, handshake('server'), never)).rejects.toThrow(/protocol|version/);
});

test('a resumed session opens nothing', async () => {
  const [dialled, accepted] = await socketPair();
  const tlsOptions = {
    key: pair.small.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: pair.small.certificate,
    rejectUnauthorized: false,
  };
  const first = tls.connect({ socket: dialled, ...tlsOptions });
  const session = once(first, 'session') as Promise<[Buffer]>;
  const serving = expect(openLink(accepted, handshake('server'), never)).rejects.toThrow();
  first.on('error', () => {}).resume();
  const [ticket] = await session;
  first.destroy();
  await serving;

  const [again, acceptedAgain] = await socketPair();
  const second = tls.connect({ socket: again, session: ticket, rejectUnauthorized: false });
  second.on('error', () => {}).resume();
  await expect(openLink(acceptedAgain, handshake('server'), never)).rejects.toThrow('no certificate was shown');
});

/** Both ways: the honest side plays `role`; the other side has the right key in TLS, and then does what it likes. */
describe.each(['client', 'server'] as Role[])('inside TLS, an honest %s', (role) => {
  interface Foul {
    framed: FramedStream<PeerMessage>;
    socket: TLSSocket;
    /** The proof that this connection calls for, by the right key. */
    proof: (change?: { exporter?: Buffer; signer?: Role; key?: Identity }) => PeerMessage;
    /** The honest side's, which comes first. */
    itsProof: PeerMessage;
  }

  async function against(): Promise<Foul & { honest: Promise<Link> }> {
    const [dialled, accepted] = await socketPair();
    const honest = openLink(dialled, handshake(role), never);
    honest.catch(() => {});
    const theirs = credentialsIn(other(role));
    const socket = await (role === 'client' ? tlsServer : tlsClient)(accepted, theirs, () => {}, never);
    const ids = { clientId: pair.small.identity.id, serverId: pair.great.identity.id };
    const right = { exporter: exporterOf(socket, PEER_EXPORTER_LABEL), signer: other(role), key: theirs.identity };
    const proof: Foul['proof'] = (change = {}) => {
      const { key, ...transcript } = { ...right, ...change };
      return { kind: 'proof', signature: signPss(key.privateKey, peerTranscript({ ...ids, ...transcript })) };
    };
    const framed = new FramedStream(socket, peerCodec, MAX_FRAME_UNPROVEN);
    const itsProof = await framed.next(never);
    expect(itsProof.kind).toBe('proof');
    return { framed, socket, proof, honest, itsProof };
  }

  const hello: Hello = {
    kind: 'hello',
    version: 1,
    features: [],
    runId: 'cc'.repeat(16),
    journalId: 'dd'.repeat(16),
    group: 'X25519',
    path: '',
  };

  test('accepts the right proof and hello, in two writes or one', async () => {
    const { framed, socket, proof, honest } = await against();
    socket.cork();
    framed.send(proof());
    framed.send(hello);
    socket.uncork();
    const link = await honest;
    expect(link.facts.hello).toEqual(hello);
    expect((await framed.next(never)).kind).toBe('hello');
    link.destroy(new LinkClosedError('done'));
    expect(await overhear(framed)).toEqual([]);
  });

  test.each([
    ['by another key', (foul: Foul) => foul.proof({ key: stranger.identity })],
    ['of another connection', (foul: Foul) => foul.proof({ exporter: randomBytes(32) })],
    ['for the other role', (foul: Foul) => foul.proof({ signer: role })],
    ['of zeros', () => ({ kind: 'proof', signature: Buffer.alloc(256) }) as PeerMessage],
    ['of nothing', () => ({ kind: 'proof', signature: Buffer.alloc(0) }) as PeerMessage],
  ])('refuses a proof %s, and says no hello', async (_, make) => {
    const foul = await against();
    const heard = overhear(foul.framed);
    foul.framed.send(make(foul));
    await expect(foul.honest).rejects.toThrow(WrongPeerError);
    expect(await heard).toEqual([]);
  });

  test('refuses an echo of its own proof', async () => {
    const { framed, honest, itsProof } = await against();
    framed.send(itsProof);
    await expect(honest).rejects.toThrow(WrongPeerError);
    expect(await overhear(framed)).toEqual([]);
  });

  test('refuses a proof that was good on an earlier connection', async () => {
    const first = await against();
    const earlier = first.proof();
    first.framed.send(earlier);
    first.framed.send(hello);
    (await first.honest).destroy(new LinkClosedError('done'));
    const second = await against();
    second.framed.send(earlier);
    await expect(second.honest).rejects.toThrow(WrongPeerError);
  });

  test.each([
    ['a hello', () => hello],
    ['a text', () => ({ kind: 'item', sequence: 1, atMs: 1, body: { kind: 'text', text: 'hi' } }) as PeerMessage],
    ['an end', () => ({ kind: 'end', reason: 'quit' }) as PeerMessage],
    ['a ping', () => ({ kind: 'ping', nonce: 1 }) as PeerMessage],
  ])('refuses %s before the proof', async (_, make) => {
    const { framed, honest } = await against();
    const heard = overhear(framed);
    framed.send(make());
    await expect(honest).rejects.toThrow(ProtocolError);
    expect(await heard).toEqual([]);
  });

  test('refuses data before the proof, and between proof and hello', async () => {
    const first = await against();
    first.framed.sendData(1, 1, 0, Buffer.from('data'));
    await expect(first.honest).rejects.toThrow(ProtocolError);
    const second = await against();
    second.framed.send(second.proof());
    second.framed.sendData(1, 1, 0, Buffer.from('data'));
    await expect(second.honest).rejects.toThrow(ProtocolError);
  });

  test.each([
    ['a second proof', (foul: Foul) => foul.proof()],
    ['an item', () => ({ kind: 'ack', journalId: 'ee'.repeat(16), sequence: 1 }) as PeerMessage],
    ['a hello of version 2', () => ({ ...hello, version: 2 })],
  ])('refuses %s after the proof', async (_, make) => {
    const foul = await against();
    foul.framed.send(foul.proof());
    foul.framed.send(make(foul));
    await expect(foul.honest).rejects.toThrow(ProtocolError);
  });

  test('refuses a frame of 4097 bytes, and reads one of 4096', async () => {
    const payloadOf = (length: number) => {
      const message = (reason: number) => peerCodec.encode({ kind: 'end', reason: 'x'.repeat(reason) });
      return message(length - message(length).length + length);
    };
    for (const [length, complaint] of [
      [MAX_FRAME_UNPROVEN, 'end before the proof'],
      [MAX_FRAME_UNPROVEN + 1, 'frame of 4097 bytes'],
    ] as const) {
      const { socket, honest } = await against();
      expect(payloadOf(length)).toHaveLength(length);
      socket.write(encodeFrame(FrameType.message, payloadOf(length)));
      await expect(honest).rejects.toThrow(complaint);
    }
  });
});

describe.each(['client', 'server'] as Role[])('a %s whose peer falls silent gives up when it is told to', (role) => {
  async function expectNothingLeft(shaking: Promise<Link>, abort: AbortController, streams: Duplex[]): Promise<void> {
    abort.abort(new LinkClosedError('too slow'));
    await expect(shaking).rejects.toThrow('too slow');
    await closed(streams[0] as Duplex);
    for (const stream of streams) stream.destroy();
    await expect.poll(openSockets).toBe(0);
  }

  test('before TLS', async () => {
    await expect.poll(openSockets).toBe(0);
    const abort = new AbortController();
    const [one, silent] = await socketPair();
    await expectNothingLeft(openLink(one, handshake(role), abort.signal), abort, [one, silent]);
  });

  test.each(['before its proof', 'before its hello'])('%s', async (stage) => {
    await expect.poll(openSockets).toBe(0);
    const abort = new AbortController();
    const [one, silent] = await socketPair();
    const shaking = openLink(one, handshake(role), abort.signal);
    const { identity } = credentialsIn(other(role));
    const socket = await (role === 'client' ? tlsServer : tlsClient)(
      silent,
      credentialsIn(other(role)),
      () => {},
      never,
    );
    const framed = new FramedStream(socket, peerCodec, MAX_FRAME_UNPROVEN);
    expect((await framed.next(never)).kind).toBe('proof');
    if (stage === 'before its hello') {
      const ids = { clientId: pair.small.identity.id, serverId: pair.great.identity.id };
      const exporter = exporterOf(socket, PEER_EXPORTER_LABEL);
      const signature = signPss(identity.privateKey, peerTranscript({ signer: other(role), exporter, ...ids }));
      framed.send({ kind: 'proof', signature });
      expect((await framed.next(never)).kind).toBe('hello');
    }
    await expectNothingLeft(shaking, abort, [one, silent]);
  });
});
