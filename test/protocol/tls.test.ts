import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { describe, expect, test, vi } from 'vitest';
import { LinkClosedError, WrongPeerError } from '../../src/protocol/errors.js';
import type { Identity, PublicIdentity } from '../../src/protocol/identity.js';
import {
  exporterOf,
  groupOf,
  type TlsCredentials,
  tlsClient,
  tlsServer,
  tlsServerForAnyone,
} from '../../src/protocol/tls.js';
import { credentialsOf, newPair } from '../support/credentials.js';
import { newIdentity, newRsaKey } from '../support/keys.js';
import { byteByByte, closed, openSockets, readToEnd, recorded, socketPair } from '../support/streams.js';

const { small: mine, great: theirs } = newPair();
const never = new AbortController().signal;
const anyone = () => {};
const refuse = () => {
  throw new WrongPeerError('not the one');
};

function only(wanted: TlsCredentials) {
  return (shown: PublicIdentity) => {
    if (shown.id !== wanted.identity.id) refuse();
  };
}

async function connect(wrap = (stream: Duplex): Duplex => stream) {
  const [dialled, accepted] = await socketPair();
  return await Promise.all([
    tlsClient(wrap(dialled), mine, only(theirs), never),
    tlsServer(wrap(accepted), theirs, only(mine), never),
  ]);
}

/** A TLS client of someone else's making. */
function foreignClient(stream: Duplex, options: tls.ConnectionOptions): tls.TLSSocket {
  const socket = tls.connect({ socket: stream, rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  return socket;
}

function pemOf({ identity, certificate }: TlsCredentials) {
  return { key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }), cert: certificate };
}

/** The content types of the TLS records in these bytes (RFC 8446, section 5.1). */
function recordTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes.readUInt8(at));
  return types;
}

describe('a connection', () => {
  test('is TLS 1.3 with AES-128-GCM', async () => {
    const [client, server] = await connect();
    for (const end of [client, server]) {
      expect(end.getProtocol()).toBe('TLSv1.3');
      expect(end.getCipher().name).toBe('TLS_AES_128_GCM_SHA256');
    }
  });

  test('carries bytes both ways, even where every byte comes by itself', async () => {
    const [client, server] = await connect(byteByByte);
    const heard = Promise.all([once(client, 'data'), once(server, 'data')]);
    // Neither ends it yet: whoever closes a socket with something unread takes back what the other has not read either.
    client.write('to the server');
    server.write('to the client');
    const [[fromServer], [fromClient]] = await heard;
    expect(`${fromServer}, ${fromClient}`).toBe('to the client, to the server');
  });

  test('exchanges keys post-quantum where this Node can', async () => {
    let expected = 'X25519MLKEM768';
    try {
      tls.createSecureContext({ ecdhCurve: expected });
    } catch {
      expected = 'X25519';
    }
    const [client] = await connect();
    expect(groupOf(client)).toBe(expected);
  });

  test('exports the same bytes on both ends, and others on another connection or under another label', async () => {
    const [client, server] = await connect();
    const [another] = await connect();
    const exported = exporterOf(client, 'EXPORTER-a');
    expect(exported).toHaveLength(32);
    expect(exporterOf(server, 'EXPORTER-a')).toEqual(exported);
    expect(exporterOf(client, 'EXPORTER-b')).not.toEqual(exported);
    expect(exporterOf(another, 'EXPORTER-a')).not.toEqual(exported);
  });

  test('exports the same with an empty context as without one', async () => {
    const [client] = await connect();
    const without = client.exportKeyingMaterial as (length: number, label: string) => Buffer;
    expect(without.call(client, 32, 'EXPORTER-a')).toEqual(exporterOf(client, 'EXPORTER-a'));
  });
});

describe('the judge', () => {
  test('of the client sees the server’s key, and the other way round', async () => {
    const [dialled, accepted] = await socketPair();
    const judges = { client: vi.fn(), server: vi.fn() };
    await Promise.all([
      tlsClient(dialled, mine, judges.client, never),
      tlsServer(accepted, theirs, judges.server, never),
    ]);
    expect(judges.client.mock.calls).toMatchObject([[{ id: theirs.identity.id, spki: theirs.identity.spki }]]);
    expect(judges.server.mock.calls).toMatchObject([[{ id: mine.identity.id, spki: mine.identity.spki }]]);
  });

  test('of the client refuses before the client’s certificate has left', async () => {
    const [dialled, accepted] = await socketPair();
    const { stream, received } = recorded(accepted);
    const server = new tls.TLSSocket(stream, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      ...pemOf(theirs),
    });
    const onSecure = vi.fn();
    server.on('secure', onSecure).on('error', () => {});
    await expect(tlsClient(dialled, mine, refuse, never)).rejects.toThrow(WrongPeerError);
    await closed(accepted);
    expect(onSecure).not.toHaveBeenCalled();
    expect(server.getPeerX509Certificate()).toBeUndefined();
    // Certificate and Finished would be application data records (23): there is a ClientHello, and no such record.
    expect(recordTypes(received())).toContain(22);
    expect(recordTypes(received())).not.toContain(23);
  });

  test('of the server refuses before anything is read or written', async () => {
    const [dialled, accepted] = await socketPair();
    const client = foreignClient(dialled, pemOf(credentialsOf(newIdentity())));
    client.write('too early');
    const received = readToEnd(client);
    await expect(tlsServer(accepted, theirs, only(mine), never)).rejects.toThrow(WrongPeerError);
    expect(await received).toHaveLength(0);
  });

  test('of the server is not asked about a client without a certificate: it is refused', async () => {
    const [dialled, accepted] = await socketPair();
    foreignClient(dialled, {});
    await expect(tlsServer(accepted, theirs, anyone, never)).rejects.toThrow('no certificate was shown');
    await closed(accepted);
  });

  test('is not asked about a key that nobody may have', async () => {
    const privateKey = newRsaKey(2048, 3);
    const weak = { ...mine.identity, privateKey, key: privateKey } as Identity;
    const [dialled, accepted] = await socketPair();
    foreignClient(dialled, pemOf(credentialsOf(weak)));
    await expect(tlsServer(accepted, theirs, anyone, never)).rejects.toThrow('the key shown is unusable');
  });
});

describe('refused:', () => {
  test('a client that knows only TLS 1.2', async () => {
    const [dialled, accepted] = await socketPair();
    foreignClient(dialled, { ...pemOf(mine), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    await expect(tlsServer(accepted, theirs, anyone, never)).rejects.toThrow(/version|protocol/i);
    await closed(accepted);
  });

  test('a server that knows only TLS 1.2', async () => {
    const [dialled, accepted] = await socketPair();
    new tls.TLSSocket(accepted, {
      isServer: true,
      secureContext: tls.createSecureContext({ ...pemOf(theirs), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
    }).on('error', () => {});
    await expect(tlsClient(dialled, mine, anyone, never)).rejects.toThrow(/version|protocol/i);
    await closed(dialled);
  });

  test('a session resumed without a certificate', async () => {
    const [dialled, accepted] = await socketPair();
    const first = foreignClient(dialled, pemOf(mine));
    const session = once(first, 'session') as Promise<[Buffer]>;
    const server = await tlsServer(accepted, theirs, only(mine), never);
    // A TLS 1.3 session is complete only when its ticket was read, with the first data.
    server.write('hello');
    first.resume();
    const [ticket] = await session;

    const [dialledAgain, acceptedAgain] = await socketPair();
    const second = foreignClient(dialledAgain, { session: ticket });
    await expect(tlsServer(acceptedAgain, theirs, only(mine), never)).rejects.toThrow('no certificate was shown');
    expect(second.isSessionReused()).toBe(false);
  });

  test('bytes that are not TLS', async () => {
    const [dialled, accepted] = await socketPair();
    accepted.write('SSH-2.0-OpenSSH_9.2\r\n');
    await expect(tlsClient(dialled, mine, anyone, never)).rejects.toThrow();
    await closed(dialled);

    const [client, server] = await socketPair();
    client.write('GET / HTTP/1.1\r\n\r\n');
    await expect(tlsServer(server, theirs, anyone, never)).rejects.toThrow();
    await closed(server);
  });

  test.each([
    ['client', (stream: Duplex) => tlsClient(stream, mine, anyone, never)],
    ['server', (stream: Duplex) => tlsServer(stream, theirs, anyone, never)],
  ])('a connection that closes during the handshake, on the %s', async (_, handshake) => {
    for (const wrap of [(stream: Duplex) => stream, byteByByte]) {
      const [one, other] = await socketPair();
      const shaking = handshake(wrap(one));
      other.destroy();
      await expect(shaking).rejects.toThrow();
      await closed(one);
    }
  });
});

describe('giving up', () => {
  const ends: [string, (stream: Duplex, signal: AbortSignal) => Promise<tls.TLSSocket>][] = [
    ['client', (stream, signal) => tlsClient(stream, mine, anyone, signal)],
    ['server', (stream, signal) => tlsServer(stream, theirs, anyone, signal)],
    ['mediator', (stream, signal) => tlsServerForAnyone(stream, theirs, signal)],
  ];

  test.each(ends)('on a silent other end leaves no socket, on the %s', async (_, handshake) => {
    for (const wrap of [(stream: Duplex) => stream, byteByByte]) {
      await expect.poll(openSockets).toBe(0);
      const [one, other] = await socketPair();
      const abort = new AbortController();
      const shaking = handshake(wrap(one), abort.signal);
      abort.abort(new LinkClosedError('too slow'));
      await expect(shaking).rejects.toThrow('too slow');
      other.destroy();
      await Promise.all([closed(one), closed(other)]);
      await expect.poll(openSockets).toBe(0);
    }
  });

  test.each(ends)('before it began destroys the stream, on the %s', async (_, handshake) => {
    const [one] = await socketPair();
    await expect(handshake(one, AbortSignal.abort(new Error('not at all')))).rejects.toThrow('not at all');
    await closed(one);
  });
});

test('the mediator asks nobody for a certificate', async () => {
  const [dialled, accepted] = await socketPair();
  const [client, server] = await Promise.all([
    tlsClient(dialled, null, only(theirs), never),
    tlsServerForAnyone(accepted, theirs, never),
  ]);
  expect(server.getPeerX509Certificate()).toBeUndefined();
  expect(exporterOf(client, 'EXPORTER-a')).toEqual(exporterOf(server, 'EXPORTER-a'));
});
