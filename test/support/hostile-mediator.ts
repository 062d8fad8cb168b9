import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { MAX_FRAME_MEDIATOR, NONCE_BYTES, PROBE_KEY_BYTES, TOKEN_BYTES } from '../../src/protocol/constants.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import type { Identity } from '../../src/protocol/identity.js';
import type { Endpoint, Introduction, MediatorMessage } from '../../src/protocol/messages.js';
import { prefaceMatches, prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { tlsServerForAnyone } from '../../src/protocol/tls.js';
import type { Role } from '../../src/protocol/transcripts.js';
import { mediatorCodec } from '../../src/protocol/wire.js';
import { peekFirstByte, TLS_HANDSHAKE } from '../../src/server/first-bytes.js';
import { credentialsOf } from './credentials.js';

const PATIENCE_MS = 20_000;

/** Somebody who registered. */
export interface Guest {
  id: string;
  stream: FramedStream<MediatorMessage>;
  reflexive: Endpoint;
}

interface RelayStream {
  socket: net.Socket;
  preface: Buffer;
}

/** A mediator in the test's hand, built from protocol/ alone: it admits anyone and introduces whom it likes to whom. */
export class HostileMediator {
  /** Everything that anyone said to it inside TLS, in order. */
  readonly heard: MediatorMessage[] = [];
  /** Connections that finished TLS. */
  secured = 0;
  readonly #identity: Identity;
  readonly #server = net.createServer((socket) => this.#enter(socket));
  readonly #sockets = new Set<net.Socket>();
  readonly #guests: Guest[] = [];
  readonly #relays: RelayStream[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(identity: Identity) {
    this.#identity = identity;
  }

  static async open(identity: Identity, port = 0): Promise<HostileMediator> {
    const mediator = new HostileMediator(identity);
    mediator.#server.listen(port, '127.0.0.1');
    await once(mediator.#server, 'listening');
    return mediator;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The next peer of this id that registers. */
  guest(id: string): Promise<Guest> {
    return this.#take(this.#guests, (guest) => guest.id === id);
  }

  /** One introduction, told to all of these. */
  introduce(...guests: Guest[]): Introduction {
    const secrets = { token: randomBytes(TOKEN_BYTES), probeKey: randomBytes(PROBE_KEY_BYTES) };
    const introductionId = randomBytes(16).toString('hex');
    const rest = { startInMs: 0, relayQuota: 0, probes: [] };
    const introductionFor = (reflexive: Endpoint): Introduction => ({
      kind: 'introduction',
      introductionId,
      reflexive,
      ...secrets,
      ...rest,
    });
    for (const { stream, reflexive } of guests) stream.send(introductionFor(reflexive));
    return introductionFor({ address: '127.0.0.1', port: 9 });
  }

  /** The relay stream that the peer in this role opens, as it is after its preface and the other side's. */
  async relay({ token }: Introduction, role: Role): Promise<net.Socket> {
    const { socket } = await this.#take(this.#relays, ({ preface }) => prefaceMatches(preface, token, role));
    socket.write(prefaceOf(token, role === 'client' ? 'server' : 'client'));
    return socket;
  }

  async #enter(socket: net.Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.setNoDelay(true).on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    try {
      if ((await peekFirstByte(socket, patience())) === TLS_HANDSHAKE) await this.#admit(socket);
      else this.#put(this.#relays, { socket, preface: await readPreface(socket, patience()) });
    } catch {
      socket.destroy();
    }
  }

  async #admit(socket: net.Socket): Promise<void> {
    const secured = await tlsServerForAnyone(socket, credentialsOf(this.#identity), patience());
    this.secured += 1;
    const stream = new FramedStream(secured, mediatorCodec, MAX_FRAME_MEDIATOR);
    const registration = await stream.next(patience());
    this.heard.push(registration);
    if (registration.kind !== 'register') throw new Error(`${registration.kind} came first`);
    stream.send({ kind: 'challenge', nonce: randomBytes(NONCE_BYTES) });
    this.heard.push(await stream.next(patience()));
    const reflexive = { address: '127.0.0.1', port: socket.remotePort ?? 0 };
    stream.send({ kind: 'admitted', reflexive, nowMs: Date.now(), followsSuccessions: false });
    stream.attach({
      onMessage: (message) => {
        this.heard.push(message);
        if (message.kind === 'ping') stream.send({ kind: 'pong', nonce: message.nonce });
      },
      onClose: () => {},
    });
    this.#put(this.#guests, { id: registration.peerId, stream, reflexive });
  }

  #put<T>(list: T[], one: T): void {
    list.push(one);
    for (const wake of [...this.#waiting]) wake();
  }

  async #take<T>(list: T[], fits: (one: T) => boolean): Promise<T> {
    const signal = patience();
    for (;;) {
      const at = list.findIndex(fits);
      if (at >= 0) return list.splice(at, 1)[0] as T;
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS);
}
