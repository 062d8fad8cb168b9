import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import { plainAddress } from '../protocol/address.js';
import { HANDSHAKE_DEADLINE_MS } from '../protocol/constants.js';
import { LinkClosedError } from '../protocol/errors.js';
import type { Endpoint } from '../protocol/messages.js';
import { readPreface } from '../protocol/preface.js';
import type { TlsCredentials } from '../protocol/tls.js';
import { peekFirstByte, TLS_HANDSHAKE } from './first-byte.js';
import { firstHandshake, type Proven } from './first-handshake.js';
import { StrangerLimits } from './limits.js';

export interface DoorOptions {
  credentials: TlsCredentials;
  keyOf: (id: string) => KeyObject | undefined;
  onProven: (proven: Proven, reflexive: Endpoint) => void;
  /** Takes the stream over, or returns false if nobody expects this preface. */
  onRelayStream: (stream: Socket, preface: Buffer) => boolean;
  onCrowded: () => void;
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
    const leave = this.#limits.enter(reflexive.address);
    if (!leave) {
      socket.destroy();
      this.#options.onCrowded();
      return;
    }
    this.#strangers.add(socket);
    const noLongerStranger = () => {
      this.#strangers.delete(socket);
      leave();
    };
    socket.once('close', noLongerStranger);
    this.#receive(socket, reflexive, noLongerStranger).catch(() => socket.destroy());
  }

  stop(): void {
    for (const socket of this.#strangers) socket.destroy();
  }

  async #receive(socket: Socket, reflexive: Endpoint, noLongerStranger: () => void): Promise<void> {
    const deadline = new AbortController();
    const late = () => deadline.abort(new LinkClosedError('too slow'));
    const timer = setTimeout(late, this.#options.deadlineMs ?? HANDSHAKE_DEADLINE_MS);
    try {
      const first = await peekFirstByte(socket, deadline.signal);
      if (first === TLS_HANDSHAKE) await this.#receivePeer(socket, reflexive, deadline.signal, noLongerStranger);
      else await this.#receiveRelayStream(socket, deadline.signal, noLongerStranger);
    } finally {
      clearTimeout(timer);
    }
  }

  async #receivePeer(
    socket: Socket,
    reflexive: Endpoint,
    deadline: AbortSignal,
    noLongerStranger: () => void,
  ): Promise<void> {
    // Only relay streams have a use for half of a connection.
    socket.allowHalfOpen = false;
    const { credentials, keyOf, onProven } = this.#options;
    const proven = await firstHandshake(socket, credentials, keyOf, deadline);
    if (!proven) return;
    noLongerStranger();
    onProven(proven, reflexive);
  }

  async #receiveRelayStream(socket: Socket, deadline: AbortSignal, noLongerStranger: () => void): Promise<void> {
    const preface = await readPreface(socket, deadline);
    if (this.#options.onRelayStream(socket, preface)) noLongerStranger();
    else socket.destroy();
  }
}
