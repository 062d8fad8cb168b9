import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import { plainAddress } from '../protocol/address.js';
import { HANDSHAKE_DEADLINE_MS } from '../protocol/constants.js';
import { errorMessage, LinkClosedError } from '../protocol/errors.js';
import type { Endpoint } from '../protocol/messages.js';
import { readPreface } from '../protocol/preface.js';
import type { TlsCredentials } from '../protocol/tls.js';
import { peekClientHello, peekFirstByte, TLS_HANDSHAKE } from './first-bytes.js';
import { firstHandshake, type Proven } from './first-handshake.js';
import { CrowdedError, HandshakeTurns } from './handshake-turns.js';
import { KnownNetworks } from './known-networks.js';
import { type Stranger, StrangerLimits } from './limits.js';

export interface DoorOptions {
  credentials: TlsCredentials;
  keyOf: (id: string) => KeyObject | undefined;
  onProven: (proven: Proven, reflexive: Endpoint) => void;
  /** Takes the stream over, or returns false if nobody expects this preface. */
  onRelayStream: (stream: Socket, preface: Buffer) => boolean;
  onCrowded: () => void;
  /** One who was neither admitted nor a relay stream. */
  onShownOut?: (from: Endpoint, why: string) => void;
  limits?: StrangerLimits;
  deadlineMs?: number;
}

/**
 * Where every connection begins as a stranger's: limited in number and time, told nothing, and shown out without a word
 * if it breaks a rule. It leaves as an admitted peer or a relay stream, or not at all.
 */
export class Door {
  readonly #options: DoorOptions;
  readonly #limits: StrangerLimits;
  readonly #turns = new HandshakeTurns();
  readonly #known = new KnownNetworks();
  readonly #strangers = new Set<Socket>();

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#limits = options.limits ?? new StrangerLimits();
  }

  /** @param socket just accepted, with allowHalfOpen */
  enter(socket: Socket): void {
    // Its close follows, and says all that matters.
    socket.on('error', () => {});
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const reflexive = { address: plainAddress(remoteAddress), port: remotePort };
    const stranger = this.#limits.enter(reflexive.address, () => this.#turnAway(socket, reflexive));
    if (!stranger) {
      this.#turnAway(socket, reflexive);
      return;
    }
    this.#strangers.add(socket);
    this.#receive(socket, reflexive, stranger).catch((error) => {
      if (error instanceof CrowdedError) this.#turnAway(socket, reflexive);
      else this.#showOut(socket, reflexive, errorMessage(error));
    });
  }

  stop(): void {
    this.#turns.stop();
    for (const socket of this.#strangers) socket.destroy();
  }

  #showOut(socket: Socket, from: Endpoint, why: string): void {
    socket.destroy();
    this.#options.onShownOut?.(from, why);
  }

  #turnAway(socket: Socket, from: Endpoint): void {
    // Reset: a polite end would keep the connection's traces in the kernel for a minute, thousands of them in a flood.
    socket.resetAndDestroy();
    this.#options.onCrowded();
    this.#options.onShownOut?.(from, 'too many');
  }

  async #receive(socket: Socket, reflexive: Endpoint, stranger: Stranger): Promise<void> {
    const ending = new AbortController();
    const timer = setTimeout(
      () => ending.abort(new LinkClosedError('too slow')),
      this.#options.deadlineMs ?? HANDSHAKE_DEADLINE_MS,
    );
    const noLongerStranger = () => {
      clearTimeout(timer);
      socket.off('close', onClose);
      this.#strangers.delete(socket);
      stranger.leave();
    };
    const onClose = () => {
      noLongerStranger();
      ending.abort(new LinkClosedError('closed before it said who it is'));
    };
    socket.once('close', onClose);
    const first = await peekFirstByte(socket, ending.signal);
    if (first === TLS_HANDSHAKE) {
      const proven = await this.#receivePeer(socket, stranger, ending.signal);
      if (!proven) {
        this.#options.onShownOut?.(reflexive, 'its key is not admitted');
        return;
      }
      this.#known.note(stranger.network);
      noLongerStranger();
      this.#options.onProven(proven, reflexive);
    } else {
      const preface = await readPreface(socket, ending.signal);
      if (this.#options.onRelayStream(socket, preface)) noLongerStranger();
      else this.#showOut(socket, reflexive, 'nobody expects its preface');
    }
  }

  /** Null if it was refused. */
  async #receivePeer(socket: Socket, stranger: Stranger, signal: AbortSignal): Promise<Proven | null> {
    // Only relay streams have a use for half of a connection.
    socket.allowHalfOpen = false;
    await peekClientHello(socket, signal);
    stranger.keepWaiting();
    await this.#turns.take(stranger.network, this.#known.has(stranger.network), signal);
    stranger.waitFor();
    const { credentials, keyOf } = this.#options;
    return firstHandshake(socket, credentials, keyOf, signal);
  }
}
