import dgram from 'node:dgram';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { plainAddress } from '../../protocol/address.js';
import { errorCode } from '../../protocol/errors.js';
import type { Endpoint } from '../../protocol/messages.js';
import { describeSystemError } from '../../shared/system-error.js';
import { ProbeDesk } from './probe-desk.js';

export interface ReflexiveOptions {
  /** Where the mediator listens by TCP. The UDP ports are the same number and the next, if they are free. */
  where: Endpoint;
  /** Another address of this machine that peers can reach: it tells more kinds of gateways apart. */
  secondAddress: string | null;
  warn: (text: string) => void;
}

/**
 * Tells peers, by UDP, from where it sees them come. Two ports, for only a difference between what they see shows that a
 * gateway chooses a port for each destination.
 */
export class ReflexiveService {
  readonly #options: ReflexiveOptions;
  readonly #desk = new ProbeDesk(performance.now());
  readonly #sockets: dgram.Socket[] = [];
  readonly #probes: Endpoint[] = [];

  constructor(options: ReflexiveOptions) {
    this.#options = options;
  }

  /** Binds. Without UDP the mediator still introduces: what fails is a warning. */
  async start(): Promise<void> {
    const { where, secondAddress, warn } = this.#options;
    try {
      for (const port of [where.port, where.port + 1]) {
        this.#probes.push({ address: '', port: await this.#bind(where.address, port) });
      }
      if (secondAddress !== null) {
        this.#probes.push({ address: secondAddress, port: await this.#bind(secondAddress, where.port + 2) });
      }
    } catch (error) {
      warn(`UDP cannot be used here, so fewer peers will find a direct path: ${describeSystemError(error)}`);
    }
  }

  async stop(): Promise<void> {
    const sockets = this.#sockets.splice(0);
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  /** Where peers may probe; an empty address stands for the one by which they reached the mediator. */
  get probes(): Endpoint[] {
    return this.#probes;
  }

  get ports(): number[] {
    return this.#probes.map(({ port }) => port);
  }

  /** From now on, and for a while, probes made with this key are answered. */
  expect(key: Buffer): void {
    this.#desk.expect(key, performance.now());
  }

  /** Probes made with this key are answered no longer. */
  forget(key: Buffer): void {
    this.#desk.forget(key);
  }

  /** The port wanted, or else any free one. */
  async #bind(address: string, wanted: number): Promise<number> {
    try {
      return await this.#bindExactly(address, wanted > 65535 ? 0 : wanted);
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE' && errorCode(error) !== 'EACCES') throw error;
      return await this.#bindExactly(address, 0);
    }
  }

  #bindExactly(address: string, port: number): Promise<number> {
    const socket = dgram.createSocket(net.isIPv4(address) ? 'udp4' : 'udp6');
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        // A reply that cannot be sent is a reply lost.
        socket.on('error', () => {});
        socket.on('message', (packet, from) => this.#answer(socket, packet, from));
        this.#sockets.push(socket);
        resolve((socket.address() as AddressInfo).port);
      });
    });
  }

  #answer(socket: dgram.Socket, packet: Buffer, from: dgram.RemoteInfo): void {
    const source = { address: plainAddress(from.address), port: from.port };
    const reply = this.#desk.answer(packet, source, performance.now());
    if (reply) socket.send(reply, from.port, from.address, () => {});
  }
}
