import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { MAX_FRAME_UNPROVEN, PROTOCOL_VERSION } from './constants.js';
import { ProtocolError, WrongPeerError } from './errors.js';
import { FramedStream } from './framed-stream.js';
import type { PublicIdentity } from './identity.js';
import { Link } from './link.js';
import type { Hello, PathKind, PeerMessage } from './messages.js';
import { signPss, verifyPss } from './signatures.js';
import { exporterOf, groupOf, type TlsCredentials, tlsClient, tlsServer } from './tls.js';
import { PEER_EXPORTER_LABEL, peerTranscript, type Role } from './transcripts.js';
import { peerCodec } from './wire.js';

/** A feature: the sender of this Hello does not want the session on this link. */
const SIGNALLING_ONLY = 'signalling-only';
/** A feature: the sender knows what it is to agree on messages that disappear. */
export const DISAPPEAR = 'disappear';
/** A feature: the sender understands the item of that name. */
export const SUCCESSION = 'succession';
/** A feature: the sender can receive a transfer of which files are left out. */
export const SKIP = 'skip';
/** A feature: the sender takes whole files, many in one data frame. */
export const WHOLE_FILES = 'whole-files';
const FEATURES = [SUCCESSION, DISAPPEAR, SKIP, WHOLE_FILES];

/** The smaller peer id is the TLS client on every path, whoever dialled: both know it without asking anyone. */
export function roleOf(myId: string, peerId: string): Role {
  return myId < peerId ? 'client' : 'server';
}

export interface SecondHandshake {
  credentials: TlsCredentials;
  peer: PublicIdentity;
  path: PathKind;
  /** This side opened the stream; false if it accepted it, and then it learns the path from the opener's Hello. */
  dialled: boolean;
  remote: string;
  sameNetwork: boolean;
  signallingOnly: boolean;
  runId: string;
  journalId: string;
}

/**
 * The second handshake, over a stream whose prefaces were exchanged: mutual TLS 1.3 with the one key that the user
 * named, a proof of each key over this connection's exporter, and a Hello each. Rejects with WrongPeerError if anyone
 * else answered; nothing is sent beyond the proof until the other's proof holds.
 */
export async function openLink(stream: Duplex, o: SecondHandshake, signal: AbortSignal): Promise<Link> {
  const myId = o.credentials.identity.id;
  const role = roleOf(myId, o.peer.id);
  const judge = (shown: PublicIdentity) => {
    if (shown.id !== o.peer.id) throw new WrongPeerError('someone else answered in the peer’s place');
  };
  const startedAt = performance.now();
  const socket = await (role === 'client' ? tlsClient : tlsServer)(stream, o.credentials, judge, signal);
  const rttMs = performance.now() - startedAt;
  const framed = new FramedStream(socket, peerCodec, MAX_FRAME_UNPROVEN);
  try {
    await exchangeProofs(socket, framed, role, o, signal);
    const group = role === 'client' ? groupOf(socket) : '';
    framed.send(helloOf(o, group));
    const hello = acceptHello(await framed.next(signal));
    const path = o.dialled ? o.path : (acceptedPath(hello) ?? o.path);
    return new Link(
      framed,
      {
        role,
        path,
        remote: o.remote,
        sameNetwork: o.sameNetwork,
        group: role === 'client' ? group : hello.group,
        hello,
        signallingOnly: o.signallingOnly || hello.features.includes(SIGNALLING_ONLY),
      },
      rttMs,
    );
  } catch (error) {
    framed.destroy(error as Error);
    throw error;
  }
}

/**
 * TLS alone already shows both certificates' keys. The proofs are the second belt: whatever slips in node:tls
 * (resumption, an unenforced client certificate), no one speaks here without signing this very connection.
 */
async function exchangeProofs(
  socket: TLSSocket,
  framed: FramedStream<PeerMessage>,
  role: Role,
  o: SecondHandshake,
  signal: AbortSignal,
): Promise<void> {
  const { identity } = o.credentials;
  const connection = {
    clientId: role === 'client' ? identity.id : o.peer.id,
    serverId: role === 'client' ? o.peer.id : identity.id,
    exporter: exporterOf(socket, PEER_EXPORTER_LABEL),
  };
  const mine = peerTranscript({ signer: role, ...connection });
  const theirs = peerTranscript({ signer: role === 'client' ? 'server' : 'client', ...connection });
  // The client's last words of TLS leave with the end of this turn: then both sides sign at the same time.
  if (role === 'client') await new Promise(setImmediate);
  framed.send({ kind: 'proof', signature: signPss(identity.privateKey, mine) });
  const proof = await framed.next(signal);
  if (proof.kind !== 'proof') throw new ProtocolError(`${proof.kind} before the proof`);
  if (!verifyPss(o.peer.key, theirs, proof.signature)) throw new WrongPeerError('the peer’s proof does not hold');
}

function helloOf(o: SecondHandshake, group: string): Hello {
  return {
    kind: 'hello',
    version: PROTOCOL_VERSION,
    features: o.signallingOnly ? [...FEATURES, SIGNALLING_ONLY] : FEATURES,
    runId: o.runId,
    journalId: o.journalId,
    group,
    path: o.dialled ? o.path : '',
  };
}

function acceptHello(message: PeerMessage): Hello {
  if (message.kind !== 'hello') throw new ProtocolError(`${message.kind} before hello`);
  if (message.version !== PROTOCOL_VERSION)
    throw new ProtocolError(`protocol version ${message.version} is not spoken here`);
  return message;
}

const ACCEPTABLE_PATHS: readonly PathKind[] = ['tcp-direct', 'tcp-punch', 'udp-punch'];

/** Which way the opener came. Only a label for people: it grants nothing. */
function acceptedPath(hello: Hello): PathKind | undefined {
  return ACCEPTABLE_PATHS.find((path) => path === hello.path);
}
