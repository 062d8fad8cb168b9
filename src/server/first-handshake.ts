import { type KeyObject, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_FRAME_MEDIATOR, MAX_FRAME_UNPROVEN } from '../protocol/constants.js';
import { ProtocolError } from '../protocol/errors.js';
import { FramedStream } from '../protocol/framed-stream.js';
import { challenge, type Register, responseHolds } from '../protocol/mediator-handshake.js';
import type { MediatorMessage } from '../protocol/messages.js';
import { exporterOf, type TlsCredentials, tlsServerForAnyone } from '../protocol/tls.js';
import { MEDIATOR_EXPORTER_LABEL } from '../protocol/transcripts.js';
import { mediatorCodec } from '../protocol/wire.js';

/** Far longer than any verification takes, so that how long that took cannot be seen. */
const REFUSAL_AFTER_MS = 200;

export interface Proven {
  registration: Register;
  stream: FramedStream<MediatorMessage>;
}

/**
 * The mediator's side of the first handshake. Resolves with null if the key is unknown or its signature wrong: the
 * stranger was told that it is refused, and cannot tell which. Rejects if it broke the protocol or the connection ended.
 * @param keyOf the public key of a peer id in the directory
 */
export async function firstHandshake(
  socket: Socket,
  credentials: TlsCredentials,
  keyOf: (id: string) => KeyObject | undefined,
  signal: AbortSignal,
): Promise<Proven | null> {
  const secured = await tlsServerForAnyone(socket, credentials, signal);
  const stream = new FramedStream(secured, mediatorCodec, MAX_FRAME_UNPROVEN);
  const { id: mediatorId, key: decoy } = credentials.identity;
  const { registration, nonce } = challenge(await stream.next(signal), randomBytes);
  stream.send({ kind: 'challenge', nonce });

  const response = await stream.next(signal);
  if (response.kind !== 'response') throw new ProtocolError(`${response.kind} instead of a response`);
  const refuseAt = performance.now() + REFUSAL_AFTER_MS;
  const known = keyOf(registration.peerId);
  const connection = { mediatorId, exporter: exporterOf(secured, MEDIATOR_EXPORTER_LABEL) };
  // An unknown id costs a verification too, of a key for which nobody can have signed as that id.
  const holds = responseHolds(response, known ?? decoy, registration, nonce, connection);
  if (known && holds) {
    stream.frameLimit = MAX_FRAME_MEDIATOR;
    return { registration, stream };
  }
  await sleep(refuseAt - performance.now(), undefined, { signal });
  stream.send({ kind: 'refused', reason: 'this key is not admitted here' });
  stream.end();
  return null;
}
