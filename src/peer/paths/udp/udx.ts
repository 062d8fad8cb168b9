import type { EventEmitter } from 'node:events';
import { plainAddress } from '../../../protocol/address.js';
import type { Endpoint } from '../../../protocol/messages.js';
import { type Collect, UdxDuplex, type UdxStream } from './udx-duplex.js';

export type IpFamily = 4 | 6;

/** What is used of udx-native, which has no types of its own. */
interface Udx {
  createSocket(options: { ipv6Only: boolean }): UdxSocket;
  createStream(id: number): ConnectingStream;
}

interface ConnectingStream extends UdxStream {
  connect(socket: UdxSocket, remoteId: number, port: number, host: string): void;
}

interface UdxSocket extends EventEmitter {
  bind(port: number, host: string): void;
  address(): { port: number };
  trySend(packet: Buffer, port: number, host: string, ttl: number): void;
  close(): Promise<void>;
}

interface Binding {
  udx_napi_stream_set_mode?: (handle: unknown, mode: number) => void;
}

interface Library {
  udx: Udx;
  collectFor(stream: ConnectingStream): Collect;
}

let loading: Promise<Library | null> | undefined;

/** Null where there is no build of it: then there is no UDP path, and everything else works. */
function load(): Promise<Library | null> {
  loading ??= loadLibrary().catch(() => null);
  return loading;
}

async function loadLibrary(): Promise<Library> {
  // @ts-expect-error it has no types
  const { default: Udx } = await import('udx-native');
  const binding = await loadBinding();
  return { udx: new Udx(), collectFor: (stream) => collectFor(stream, binding) };
}

/** None of what udx-native promises: without it packets are handed over one by one. */
async function loadBinding(): Promise<Binding> {
  // @ts-expect-error it has no types
  return import('udx-native/binding.js').then(
    ({ default: binding }) => binding,
    () => ({}),
  );
}

/** Its streams have `setInteractive` for this, which does nothing as long as they are open. */
function collectFor(stream: object, binding: Binding): Collect {
  const setMode = binding.udx_napi_stream_set_mode;
  const handle: unknown = Reflect.get(stream, '_handle');
  if (!setMode || !handle) return () => {};
  return (inBulk) => setMode(handle, inBulk ? 1 : 0);
}

/** It was needed before, and takes no time any more. */
export function isUdxLoaded(): boolean {
  return loading !== undefined;
}

/** Binds to any free port. Null if there is no such thing here: no library, no such address family, no descriptor left. */
export async function openUdpSocket(family: IpFamily): Promise<UdpSocket | null> {
  const library = await load();
  if (!library) return null;
  const socket = library.udx.createSocket({ ipv6Only: family === 6 });
  try {
    socket.bind(0, family === 6 ? '::' : '0.0.0.0');
    return new UdpSocket(library, socket, family);
  } catch {
    await socket.close();
    return null;
  }
}

/** One UDP socket, for packets and for one reliable stream. Of one address family, since each has a TTL of its own. */
export class UdpSocket {
  readonly family: IpFamily;
  readonly port: number;
  readonly #library: Library;
  readonly #socket: UdxSocket;
  #stream: UdxDuplex | null = null;
  #closed = false;

  constructor(library: Library, socket: UdxSocket, family: IpFamily) {
    this.#library = library;
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
    const stream = this.#library.udx.createStream(myId);
    stream.connect(this.#socket, theirId, remote.port, remote.address);
    this.#stream = new UdxDuplex(stream, this.#library.collectFor(stream));
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
