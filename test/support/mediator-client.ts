import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { MAX_FRAME_MEDIATOR } from '../../src/protocol/constants.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import type { Identity } from '../../src/protocol/identity.js';
import { answer, register } from '../../src/protocol/mediator-handshake.js';
import type { Endpoint, Introduction, MediatorMessage } from '../../src/protocol/messages.js';
import { prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { exporterOf, tlsClient } from '../../src/protocol/tls.js';
import { MEDIATOR_EXPORTER_LABEL, type Role } from '../../src/protocol/transcripts.js';
import { mediatorCodec } from '../../src/protocol/wire.js';

/** A peer reduced to its control connection, for tests that need a mediator and somebody to talk to it. */

const PATIENCE_MS = 15_000;
const ASK_EVERY_MS = 100;

export interface Where {
  port: number;
  host?: string;
  /** To come from another address: any of 127.0.0.0/8 will do. */
  localAddress?: string;
}

export interface SecuredMediator {
  secured: TLSSocket;
  stream: FramedStream<MediatorMessage>;
  /** The id of the key that the mediator showed. */
  mediatorId: string;
  /** What the two ends of this connection have in common, to be signed. */
  exporter: Buffer;
}

/** The mediator said `refused`. */
export class RefusedByMediator extends Error {
  override readonly name = 'RefusedByMediator';
}

export async function connectTo({ port, host = '127.0.0.1', localAddress }: Where): Promise<net.Socket> {
  const socket = net.connect({ host, port, noDelay: true, ...(localAddress && { localAddress }) });
  socket.on('error', () => {});
  await once(socket, 'connect', { signal: patience() });
  return socket;
}

/** TLS with the mediator over a connection, and nothing said yet. */
export async function secure(socket: Duplex): Promise<SecuredMediator> {
  let mediatorId = '';
  const judge = ({ id }: { id: string }) => {
    mediatorId = id;
  };
  const secured = await tlsClient(socket, null, judge, patience());
  const stream = new FramedStream(secured, mediatorCodec, MAX_FRAME_MEDIATOR);
  return { secured, stream, mediatorId, exporter: exporterOf(secured, MEDIATOR_EXPORTER_LABEL) };
}

/** The first handshake up to the mediator's verdict, whatever it is. */
export async function handshake(mediator: SecuredMediator, me: Identity, wantedId: string): Promise<MediatorMessage> {
  const { stream, mediatorId, exporter } = mediator;
  stream.send(register(me.id, wantedId));
  const challenge = await stream.next(patience());
  if (challenge.kind !== 'challenge') throw new Error(`${challenge.kind} instead of a challenge`);
  stream.send(answer(me, wantedId, challenge.nonce, { mediatorId, exporter }));
  return stream.next(patience());
}

/** An admitted peer. Throws RefusedByMediator. */
export async function registerWith(where: Where, me: Identity, wantedId: string): Promise<MediatorClient> {
  const mediator = await secure(await connectTo(where));
  const verdict = await handshake(mediator, me, wantedId);
  if (verdict.kind === 'refused') throw new RefusedByMediator(verdict.reason);
  if (verdict.kind !== 'admitted') throw new Error(`${verdict.kind} instead of a verdict`);
  return new MediatorClient(mediator, verdict.reflexive);
}

export class MediatorClient {
  readonly mediatorId: string;
  readonly reflexive: Endpoint;
  readonly stream: FramedStream<MediatorMessage>;
  readonly secured: TLSSocket;
  /** Resolves when the connection has ended, with what came and was not taken. */
  readonly closed: Promise<MediatorMessage[]>;
  readonly #messages: MediatorMessage[] = [];
  #arrived: () => void = () => {};
  #ended = false;

  constructor({ mediatorId, stream, secured }: SecuredMediator, reflexive: Endpoint) {
    this.mediatorId = mediatorId;
    this.reflexive = reflexive;
    this.stream = stream;
    this.secured = secured;
    this.closed = new Promise((resolve) => {
      stream.attach({
        onMessage: (message) => {
          this.#messages.push(message);
          this.#arrived();
        },
        onClose: () => {
          this.#ended = true;
          this.#arrived();
          resolve(this.#messages);
        },
      });
    });
  }

  send(message: MediatorMessage): void {
    this.stream.send(message);
  }

  /** The next message, which must be of this kind. */
  async take<K extends MediatorMessage['kind']>(kind: K): Promise<Extract<MediatorMessage, { kind: K }>> {
    const signal = patience();
    while (this.#messages.length === 0) {
      if (this.#ended) throw new Error(`the mediator closed the connection before ${kind}`);
      await new Promise<void>((resolve, reject) => {
        this.#arrived = resolve;
        signal.addEventListener('abort', () => reject(new Error(`no ${kind} came`)), { once: true });
      });
    }
    const message = this.#messages.shift();
    if (message?.kind !== kind) throw new Error(`${message?.kind} came where ${kind} was expected`);
    return message as Extract<MediatorMessage, { kind: K }>;
  }

  /** Asks to meet as a peer does that has no link: again and again, for right after an introduction it is not heard. */
  async meet(): Promise<Introduction> {
    const introduced = this.take('introduction');
    const ask = () => this.send({ kind: 'meet' });
    const asking = setInterval(ask, ASK_EVERY_MS);
    ask();
    return introduced.finally(() => clearInterval(asking));
  }

  /** Waits until the mediator has dealt with all that was sent before, and returns what came in the meantime. */
  async settle(): Promise<MediatorMessage[]> {
    const nonce = Math.floor(Math.random() * 2 ** 32);
    this.send({ kind: 'ping', nonce });
    const isPong = (message: MediatorMessage) => message.kind === 'pong' && message.nonce === nonce;
    const signal = patience();
    while (!this.#messages.some(isPong)) {
      if (this.#ended) throw new Error('the mediator closed the connection');
      await new Promise<void>((resolve, reject) => {
        this.#arrived = resolve;
        signal.addEventListener('abort', () => reject(new Error('no pong came')), { once: true });
      });
    }
    return this.#messages.splice(0, this.#messages.findIndex(isPong) + 1).slice(0, -1);
  }

  close(): void {
    this.stream.end();
  }

  destroy(): void {
    this.stream.destroy(new Error('the test cut it'));
  }
}

/** A relay stream on which this side's preface was written. */
export async function openRelayStream(where: Where, { token }: Introduction, role: Role): Promise<net.Socket> {
  const socket = await connectTo(where);
  socket.write(prefaceOf(token, role));
  return socket;
}

/** Both ends of one relay, with both prefaces exchanged. */
export async function openRelay(where: Where, introduction: Introduction): Promise<[net.Socket, net.Socket]> {
  const ends = await Promise.all([
    openRelayStream(where, introduction, 'client'),
    openRelayStream(where, introduction, 'server'),
  ]);
  await Promise.all(ends.map((end) => readPreface(end, patience())));
  return ends;
}

function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS);
}
