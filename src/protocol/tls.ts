import { constants } from 'node:crypto';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { EXPORTER_BYTES } from './constants.js';
import { LinkClosedError, ProtocolError, WrongPeerError } from './errors.js';
import { type Identity, type PublicIdentity, publicIdentity } from './identity.js';

/**
 * TLS 1.3 with pinned keys instead of certification. Certificates are only envelopes for keys, so node:tls is told not
 * to judge them (`rejectUnauthorized: false`) and every judgement is made here, by hand, on the public key.
 */
export interface TlsCredentials {
  identity: Identity;
  certificate: string;
}

// The fastest on every machine with AES in hardware first; the others for those without.
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384';

/** No authority vouches for anyone here. Without this Node reads the certificates of all that it knows, which takes 20 ms. */
const NO_ROOTS: string[] = [];

const groups = chooseGroups();

/** The post-quantum hybrid where this Node has it; naming it elsewhere throws. */
function chooseGroups(): string {
  const hybrid = 'X25519MLKEM768:X25519:P-256';
  const plain = 'X25519:P-256';
  try {
    tls.createSecureContext({ ca: NO_ROOTS, ecdhCurve: hybrid });
    return hybrid;
  } catch {
    // The failure stays in OpenSSL's queue of errors, where it would make the next key look damaged. This clears it.
    tls.createSecureContext({ ca: NO_ROOTS, ecdhCurve: plain });
    return plain;
  }
}

function contextOptions(credentials: TlsCredentials | null): tls.SecureContextOptions {
  return {
    ...(credentials && {
      key: credentials.identity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: credentials.certificate,
    }),
    ca: NO_ROOTS,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    ecdhCurve: groups,
    // A resumed session carries the first one's certificate without proof of its key.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

const contexts = new WeakMap<TlsCredentials, tls.SecureContext>();

export function secureContextOf(credentials: TlsCredentials): tls.SecureContext {
  let context = contexts.get(credentials);
  if (!context) {
    context = tls.createSecureContext(contextOptions(credentials));
    contexts.set(credentials, context);
  }
  return context;
}

/**
 * Opens TLS as the client over a connected stream. `judge` sees the server's public key in the very tick in which the
 * handshake completes: if it throws, the connection is destroyed before this side's certificate leaves.
 */
export function tlsClient(
  stream: Duplex,
  credentials: TlsCredentials | null,
  judge: (shown: PublicIdentity) => void,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    socket: stream,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ...(credentials ? { secureContext: secureContextOf(credentials) } : contextOptions(null)),
  });
  return settleHandshake(socket, stream, 'secureConnect', (secured) => judge(shownIdentity(secured)), signal);
}

/** Opens TLS as the server, demanding a certificate; `judge` as in tlsClient. */
export function tlsServer(
  stream: Duplex,
  credentials: TlsCredentials,
  judge: (shown: PublicIdentity) => void,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const socket = new tls.TLSSocket(stream, {
    isServer: true,
    requestCert: true,
    // Node does not enforce anything on a TLSSocket made this way; `judge` does, before any data is read.
    rejectUnauthorized: false,
    secureContext: secureContextOf(credentials),
  });
  return settleHandshake(socket, stream, 'secure', (secured) => judge(shownIdentity(secured)), signal);
}

/** TLS as the server for anyone, as the mediator does: its clients prove themselves inside. */
export function tlsServerForAnyone(
  stream: Duplex,
  credentials: TlsCredentials,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const socket = new tls.TLSSocket(stream, { isServer: true, secureContext: secureContextOf(credentials) });
  return settleHandshake(socket, stream, 'secure', () => {}, signal);
}

/** The same 32 bytes on both ends of this connection and on no other (RFC 8446, section 7.5). */
export function exporterOf(socket: tls.TLSSocket, label: string): Buffer {
  return socket.exportKeyingMaterial(EXPORTER_BYTES, label, Buffer.alloc(0));
}

/** The key exchange group, which only the TLS client can read. */
export function groupOf(socket: tls.TLSSocket): string {
  const info = socket.getEphemeralKeyInfo();
  if (info && 'name' in info && info.name) return info.name;
  // OpenSSL gives no name to a key that is no elliptic curve: of the groups offered, only the hybrid is none.
  return groups.startsWith('X25519MLKEM768') ? 'X25519MLKEM768' : 'unknown';
}

function settleHandshake(
  socket: tls.TLSSocket,
  stream: Duplex,
  done: 'secureConnect' | 'secure',
  judge: (secured: tls.TLSSocket) => void,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  // A late error of a connection given up, or one before its next owner listens, must not end the program: its close follows.
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off(done, onDone).off('error', fail).off('close', onClose);
      stream.off('close', onClose);
    };
    const fail = (error: Error) => {
      settle();
      socket.destroy();
      stream.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onClose = () => fail(new LinkClosedError('closed during the TLS handshake'));
    const onDone = () => {
      try {
        if (socket.getProtocol() !== 'TLSv1.3' || socket.isSessionReused())
          throw new ProtocolError('not a full TLS 1.3 handshake');
        judge(socket);
      } catch (error) {
        return fail(error as Error);
      }
      settle();
      resolve(socket);
    };
    if (signal.aborted) return fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on(done, onDone).on('error', fail).on('close', onClose);
    stream.on('close', onClose);
  });
}

function shownIdentity(socket: tls.TLSSocket): PublicIdentity {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw new WrongPeerError('no certificate was shown');
  try {
    return publicIdentity(certificate.publicKey);
  } catch (error) {
    throw new WrongPeerError('the key shown is unusable', { cause: error });
  }
}
