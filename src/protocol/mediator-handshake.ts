import { NONCE_BYTES, PROTOCOL_VERSION } from './constants.js';
import { ProtocolError } from './errors.js';
import type { Identity } from './identity.js';
import type { MediatorMessage } from './messages.js';
import { signPss, verifyPss } from './signatures.js';
import { mediatorTranscript } from './transcripts.js';

/**
 * The first handshake, as pure steps; proto/README.md draws it. The exporter value ties each signature to the one TLS
 * connection it was made on, so that a mediator in the middle cannot pass it on.
 */

export type Register = Extract<MediatorMessage, { kind: 'register' }>;
export type Response = Extract<MediatorMessage, { kind: 'response' }>;

/** Step 1, the peer. */
export function register(peerId: string, wantedId: string): Register {
  return { kind: 'register', version: PROTOCOL_VERSION, peerId, wantedId };
}

/** Step 2, the mediator. Throws ProtocolError unless the first message is an acceptable Register. */
export function challenge(
  first: MediatorMessage,
  random: (bytes: number) => Buffer,
): { registration: Register; nonce: Buffer } {
  if (first.kind !== 'register') throw new ProtocolError(`${first.kind} before register`);
  if (first.version !== PROTOCOL_VERSION)
    throw new ProtocolError(`protocol version ${first.version} is not spoken here`);
  if (first.peerId === first.wantedId) throw new ProtocolError('a peer that wants itself');
  return { registration: first, nonce: random(NONCE_BYTES) };
}

export interface ConnectionFacts {
  mediatorId: string;
  exporter: Buffer;
}

/** Step 3, the peer. */
export function answer(identity: Identity, wantedId: string, nonce: Buffer, connection: ConnectionFacts): Response {
  const transcript = mediatorTranscript({ peerId: identity.id, wantedId, nonce, ...connection });
  return { kind: 'response', signature: signPss(identity.privateKey, transcript) };
}

/** Step 4, the mediator: does the response prove the key behind the registration's peer id? */
export function responseHolds(
  response: Response,
  publicKey: Identity['key'],
  registration: Register,
  nonce: Buffer,
  connection: ConnectionFacts,
): boolean {
  const { peerId, wantedId } = registration;
  return verifyPss(publicKey, mediatorTranscript({ peerId, wantedId, nonce, ...connection }), response.signature);
}
