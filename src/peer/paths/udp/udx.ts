import type { EventEmitter } from 'node:events';
import { plainAddress } from '../../../protocol/address.js';
import type { Endpoint } from '../../../protocol/messages.js';
import { UdxDuplex, type UdxStream } from './udx-duplex.js';

/** What is used of udx-native, which has no types of its own. */
interface Udx {
  createSocket(options: { ipv6Only: boolean }): UdxSocket;
  createStream(id: number): UdxStream & {
    connect(socket: UdxSocket, remoteId: number, port: number, host: string): void;
  };
}

interface UdxSocket extends EventEmitter {
  bind(port: number, host: string): void;
  address(): { port: number };
  trySend(packet: Buffer, port: number, host: string, ttl: number): void;
  close(): Promise<void>;
}

export type IpFamily = 4 | 6;

let loading: Promise<Udx | null> | undefined;

/** Null where there is no build of it: then there is no UDP path, and everything else works. */
function load(): Promise<Udx | null> {
  // @ts-expect-error it has no types
  loading ??= import('udx-native').then(
    ({ default: Library }) => new Library(),
    () => null,
  );
  return loading;
}

/** It was needed before, and takes no time any more. */
export function isUdxLoaded(): boolean {
  return loading !== undefined;
}

/** Binds to any free port. Null if there is no such thing here: no library, no such address family, no descriptor left. */
export async function openUdpSocket(family: IpFamily): Promise<UdpSocket | null> {
  const udx = await load();
  if (!udx) return null;
  const socket = udx.createSocket({ ipv6Only: family === 6 });
  try {
    socket.bind(0, family === 6 ? '::' : '0.0.0.0');
    return new UdpSocket(udx, socket, family);
  } catch {
    await socket.close();
    return null;
  }
}

/** One UDP socket, for packets and for one reliable stream. Of one address family, since each has a TTL of its own. */
export class UdpSocket {
  readonly family: IpFamily;
  readonly port: number;
  readonly #udx: Udx;
  readonly #socket: UdxSocket;
  #stream: UdxDuplex | null = null;
  #closed = false;

  constructor(udx: Udx, socket: UdxSocket, family: IpFamily) {
    this.#udx = udx;
    this.#socket = socket;
    this.family = family;
    this.port = socket.address().port;
  }

  /** Every packet that belongs to no stream goes to this listener, and to no other. */
  set onPacket(listener: ((packet: Buffer, from: Endpoint) => void) | null) {
    this.#socket.removeAllListeners('message');
    if (!listener) return;
    this.#socket.on('message', (packet: Buffer, { host, port }: { host: string; port: number }) =>
      listener(packet, { address: plainAddress(host), port }),
    );
  }

  /** @param ttl hops that it may go; 0: as many as usual. What cannot be sent is lost. */
  send(packet: Buffer, to: Endpoint, ttl = 0): void {
    if (!this.#closed) this.#socket.trySend(packet, to.port, to.address, ttl);
  }

  /** The socket's one stream. From now on the socket lives exactly as long as it. */
  openStream(myId: number, theirId: number, remote: Endpoint): UdxDuplex {
    const stream = this.#udx.createStream(myId);
    stream.connect(this.#socket, theirId, remote.port, remote.address);
    this.#stream = new UdxDuplex(stream);
    this.#stream.on('close', () => this.#close());
    return this.#stream;
  }

  /** Closes it, unless it carries a stream. */
  release(): void {
    if (!this.#stream) this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onPacket = null;
    void this.#socket.close();
  }
}
