import { lookup } from 'node:dns/promises';
import type net from 'node:net';
import { HANDSHAKE_DEADLINE_MS, MAX_FRAME_MEDIATOR } from '../../protocol/constants.js';
import { ProtocolError } from '../../protocol/errors.js';
import { FramedStream } from '../../protocol/framed-stream.js';
import type { Identity } from '../../protocol/identity.js';
import { answer, register } from '../../protocol/mediator-handshake.js';
import type { Endpoint, MediatorMessage } from '../../protocol/messages.js';
import { exporterOf, tlsClient } from '../../protocol/tls.js';
import { MEDIATOR_EXPORTER_LABEL } from '../../protocol/transcripts.js';
import { mediatorCodec } from '../../protocol/wire.js';
import { withDeadline } from '../deadline.js';
import { dial } from '../dial.js';
import { type Dial, dialFirst } from '../dial-first.js';
import type { Judge } from './judge.js';

/** The mediator knows this key no longer, never knew it, or the signature does not hold: it does not say which. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

export interface MediatorConnection {
  stream: FramedStream<MediatorMessage>;
  /** Where this connection begins: punching goes out from the same port, through the same mapping of the NAT. */
  local: Endpoint;
  /** The mediator's address as connected to, for relay streams. */
  remote: Endpoint;
  /** All that its name resolves to; first the one that this connection goes to. */
  addresses: readonly string[];
  /** This connection's beginning, as the mediator sees it. */
  reflexive: Endpoint;
  clock: ClockComparison;
  /** It takes the word of a key for its successor. */
  followsSuccessions: boolean;
}

export interface ClockComparison {
  /** By how much the mediator's clock is ahead of ours. */
  aheadMs: number;
  /** Half a round trip: it may be ahead by as much more, or less. */
  giveOrTakeMs: number;
}

type Admission = Pick<MediatorConnection, 'stream' | 'reflexive' | 'clock' | 'followsSuccessions'>;

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Connects to whichever address of `host` answers first, and runs the first handshake.
 * @param judge sees the mediator's key before anything is said to it; throws to refuse it
 * @throws RefusedError, whatever `judge` throws, or a system error
 */
export async function connectToMediator(
  host: string,
  port: number,
  identity: Identity,
  wantedId: string,
  judge: Judge,
  signal: AbortSignal,
): Promise<MediatorConnection> {
  const resolved = await lookup(host, { all: true });
  const dials = resolved.map(
    ({ address, family }): Dial =>
      (until) =>
        connectFromShareablePort(address, family, port, until),
  );
  const socket = await dialFirst(dials, signal);
  const local = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
  const remote = { address: socket.remoteAddress ?? '', port };
  const addresses = [...new Set([remote.address, ...resolved.map(({ address }) => address)])];
  const admission = await withDeadline(HANDSHAKE_DEADLINE_MS, signal, (deadline) =>
    authenticate(socket, identity, wantedId, judge, deadline),
  );
  return { ...admission, local, remote, addresses };
}

/** The first handshake, the peer's part. */
async function authenticate(
  socket: net.Socket,
  identity: Identity,
  wantedId: string,
  judge: Judge,
  signal: AbortSignal,
): Promise<Admission> {
  let mediatorId = '';
  let remember: (() => void) | undefined;
  const secured = await tlsClient(
    socket,
    null,
    (shown) => {
      remember = judge(shown);
      mediatorId = shown.id;
    },
    signal,
  );
  const stream = new FramedStream(secured, mediatorCodec, MAX_FRAME_MEDIATOR);
  try {
    stream.send(register(identity.id, wantedId));
    const challenge = await stream.next(signal);
    if (challenge.kind !== 'challenge') throw new ProtocolError(`${challenge.kind} instead of a challenge`);
    remember?.();
    const exporter = exporterOf(secured, MEDIATOR_EXPORTER_LABEL);
    const response = answer(identity, wantedId, challenge.nonce, { mediatorId, exporter });
    const askedAt = Date.now();
    stream.send(response);
    const verdict = await stream.next(signal);
    if (verdict.kind === 'refused') throw new RefusedError(verdict.reason);
    if (verdict.kind !== 'admitted') throw new ProtocolError(`${verdict.kind} instead of a verdict`);
    const giveOrTakeMs = (Date.now() - askedAt) / 2;
    const clock = { aheadMs: verdict.nowMs - (askedAt + giveOrTakeMs), giveOrTakeMs };
    return { stream, reflexive: verdict.reflexive, clock, followsSuccessions: verdict.followsSuccessions };
  } catch (error) {
    stream.destroy(error as Error);
    throw error;
  }
}

/**
 * Naming a local address makes Node bind before it connects, with SO_REUSEADDR: only then may punching sockets share
 * the port.
 */
function connectFromShareablePort(
  host: string,
  family: number,
  port: number,
  signal: AbortSignal,
): Promise<net.Socket> {
  const localAddress = family === 6 ? '::' : '0.0.0.0';
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: 15_000 };
  return dial({ host, port, localAddress, localPort: 0, ...keepAlive }, CONNECT_TIMEOUT_MS, signal);
}
