import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { MAX_FRAME_MEDIATOR, PROBE_KEY_BYTES, TOKEN_BYTES } from '../../src/protocol/constants.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import { parsePrivatePem } from '../../src/protocol/identity.js';
import { challenge } from '../../src/protocol/mediator-handshake.js';
import type { Endpoint, Introduction, MediatorMessage } from '../../src/protocol/messages.js';
import { roleOf } from '../../src/protocol/peer-handshake.js';
import { prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { tlsServerForAnyone } from '../../src/protocol/tls.js';
import { mediatorCodec } from '../../src/protocol/wire.js';
import { peekFirstByte, TLS_HANDSHAKE } from '../../src/server/first-bytes.js';
import { credentialsOf } from './credentials.js';
import type { Pair } from './pair.js';

const never = new AbortController().signal;

/** A registered peer, as the mediator sees it. */
export interface Guest {
  id: string;
  wantedId: string;
  reflexive: Endpoint;
  stream: FramedStream<MediatorMessage>;
  /** For bytes that are no messages. */
  secured: TLSSocket;
}

type Lies = Partial<Omit<Introduction, 'kind'>>;

/**
 * A mediator that has its key and admits everybody, built from protocol/, and lies as a test tells it. Between its lies
 * it introduces whoever named each other, and carries their relay streams.
 */
export class LyingMediator {
  /** What is done when a pair is complete, and again when one of them asks to meet. */
  onPair: (one: Guest, other: Guest) => void = (one, other) => this.introduce(one, other);
  onGuest: (guest: Guest) => void = () => {};
  /** How relayed bytes are carried. */
  carry: (from: Socket, to: Socket) => void = (from, to) => from.pipe(to);
  readonly #credentials;
  readonly #server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#receive(socket));
  readonly #sockets = new Set<Socket>();
  readonly #guests = new Map<string, Guest>();
  /** By preface, in hex: what to do with the stream that begins with it. */
  readonly #expected = new Map<string, (stream: Socket) => void>();

  private constructor(pair: Pair) {
    this.#credentials = credentialsOf(parsePrivatePem(readFileSync(pair.keys('mediator'), 'utf8')));
  }

  /** The peers of `pair` that start from now on come here. */
  static async start(pair: Pair): Promise<LyingMediator> {
    const mediator = new LyingMediator(pair);
    await once(mediator.#server.listen(0, '127.0.0.1'), 'listening');
    pair.door = (mediator.#server.address() as AddressInfo).port;
    return mediator;
  }

  /** Tells both of each other, whomever they want; each may be told something else than the other. */
  introduce(one: Guest, other: Guest, toOne: Lies = {}, toOther: Lies = {}): void {
    const both = { introductionId: randomBytes(16).toString('hex'), token: randomBytes(TOKEN_BYTES) };
    const tell = (guest: Guest, lies: Lies) => {
      const truth = { ...both, startInMs: 50, relayQuota: 0, probes: [], probeKey: randomBytes(PROBE_KEY_BYTES) };
      const introduction: Introduction = { kind: 'introduction', ...truth, reflexive: guest.reflexive, ...lies };
      const preface = prefaceOf(introduction.token, roleOf(guest.id, guest.wantedId));
      guest.stream.send(introduction);
      return { preface, arrived: this.#streamWith(preface) };
    };
    const [mine, theirs] = [tell(one, toOne), tell(other, toOther)];
    void Promise.all([mine.arrived, theirs.arrived]).then(([left, right]) => {
      left.write(theirs.preface);
      right.write(mine.preface);
      this.carry(left, right);
      this.carry(right, left);
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #streamWith(preface: Buffer): Promise<Socket> {
    return new Promise((resolve) => this.#expected.set(preface.toString('hex'), resolve));
  }

  #receive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    this.#serve(socket).catch(() => socket.destroy());
  }

  async #serve(socket: Socket): Promise<void> {
    if ((await peekFirstByte(socket, never)) === TLS_HANDSHAKE) return this.#admit(socket);
    const preface = await readPreface(socket, never);
    this.#expected.get(preface.toString('hex'))?.(socket);
  }

  async #admit(socket: Socket): Promise<void> {
    const reflexive = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    socket.allowHalfOpen = false;
    const secured = await tlsServerForAnyone(socket, this.#credentials, never);
    const stream = new FramedStream(secured, mediatorCodec, MAX_FRAME_MEDIATOR);
    const { registration, nonce } = challenge(await stream.next(never), randomBytes);
    stream.send({ kind: 'challenge', nonce });
    await stream.next(never);
    stream.send({ kind: 'admitted', reflexive, nowMs: Date.now(), followsSuccessions: false });
    const { peerId: id, wantedId } = registration;
    const guest: Guest = { id, wantedId, reflexive, stream, secured };
    this.#guests.set(id, guest);
    stream.attach({
      onMessage: (message) => {
        if (message.kind === 'ping') stream.send({ kind: 'pong', nonce: message.nonce });
        else if (message.kind === 'meet') this.#pairUp(guest);
      },
      onClose: () => {
        if (this.#guests.get(id) === guest) this.#guests.delete(id);
      },
    });
    this.onGuest(guest);
    this.#pairUp(guest);
  }

  #pairUp(guest: Guest): void {
    const other = this.#guests.get(guest.wantedId);
    if (other?.wantedId === guest.id) this.onPair(guest, other);
    else guest.stream.send({ kind: 'waiting' });
  }
}
