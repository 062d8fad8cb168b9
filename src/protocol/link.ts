import { KEEPALIVE_DEAD_MS, KEEPALIVE_IDLE_MS, MAX_FRAME_PEER } from './constants.js';
import type { DataChunk } from './data-frames.js';
import { LinkClosedError, LinkSilentError, ProtocolError } from './errors.js';
import type { FramedStream } from './framed-stream.js';
import type { Hello, PathKind, PeerMessage } from './messages.js';
import type { Role } from './transcripts.js';

export interface LinkHandlers {
  onMessage(link: Link, message: PeerMessage): void;
  onData(link: Link, chunk: DataChunk): void;
  /** More may be written: the network took what was buffered. */
  onDrain(link: Link): void;
  /** Once, last. */
  onClose(link: Link, reason: Error): void;
}

export interface LinkFacts {
  /** This side's part in TLS and in choosing the session's link; the same on every path. */
  role: Role;
  path: PathKind;
  /** address:port of the other end of the path. */
  remote: string;
  /** On the peer's own network: no gateway in between. */
  sameNetwork: boolean;
  /** The key exchange group of this link's TLS. */
  group: string;
  /** What the peer said of itself. */
  hello: Hello;
  /** Carries the second handshake and the candidates, but not the session. */
  signallingOnly: boolean;
}

export interface Keepalive {
  /** Silent for this long: send a ping. */
  idleMs: number;
  /** Silent for this long: the link is dead. */
  deadMs: number;
}

const KEEPALIVE: Keepalive = { idleMs: KEEPALIVE_IDLE_MS, deadMs: KEEPALIVE_DEAD_MS };

/**
 * One authenticated, encrypted, framed connection: what the second handshake leaves behind. Answers pings itself, sends
 * them when idle, and declares itself dead when nothing came for too long.
 */
export class Link {
  readonly facts: LinkFacts;
  rttMs: number;
  /** What the path takes when nothing of ours waits in front. */
  minRttMs: number;
  readonly #stream: FramedStream<PeerMessage>;
  readonly #keepalive: Keepalive;
  readonly #timer: NodeJS.Timeout;
  #handlers: LinkHandlers | null = null;
  #lastReceived = performance.now();
  #ping: { nonce: number; sentAt: number } | null = null;
  #pings = 0;
  /** Those who wait for the answer to a ping, or to one sent after it. */
  #probes: { nonce: number; answered: () => void; failed: (error: Error) => void }[] = [];
  #closed = false;

  constructor(stream: FramedStream<PeerMessage>, facts: LinkFacts, rttMs: number, keepalive = KEEPALIVE) {
    this.#stream = stream;
    this.facts = facts;
    this.rttMs = rttMs;
    this.minRttMs = rttMs;
    this.#keepalive = keepalive;
    stream.frameLimit = MAX_FRAME_PEER;
    stream.onDrain(() => this.#handlers?.onDrain(this));
    this.#timer = setInterval(() => this.#keepAlive(), keepalive.idleMs / 2);
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#stream.attach({
      onMessage: (message) => this.#receive(message),
      onData: (chunk) => {
        this.#lastReceived = performance.now();
        handlers.onData(this, chunk);
      },
      onClose: (reason) => {
        this.#stop(reason);
        handlers.onClose(this, reason);
      },
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes not yet taken by the network stack. */
  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  send(message: PeerMessage): void {
    this.#stream.send(message);
  }

  sendData(stream: number, entry: number, offset: number, bytes: Buffer): void {
    this.#stream.sendData(stream, entry, offset, bytes);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#lastReceived = performance.now();
    this.#stream.resume();
  }

  /** Asks for a sign of life. Rejects if the link closes, as it does with a LinkClosedError if none comes within `ms`. */
  async probe(ms: number): Promise<void> {
    if (this.#closed) throw new LinkClosedError('the link is closed');
    const nonce = this.#sendPing();
    const timer = setTimeout(() => this.destroy(new LinkSilentError('no answer from the peer')), ms);
    try {
      await new Promise<void>((answered, failed) => this.#probes.push({ nonce, answered, failed }));
    } finally {
      clearTimeout(timer);
    }
  }

  /** An orderly end: says why, flushes, closes. Resolves when the other end has heard it, or has had its time to. */
  async end(reason: string): Promise<void> {
    this.send({ kind: 'end', reason });
    const ended = this.#stream.end();
    this.#stop(new LinkClosedError('closed here'));
    await ended;
  }

  destroy(reason: Error): void {
    this.#stream.destroy(reason);
    this.#stop(reason);
  }

  #stop(reason: Error): void {
    clearInterval(this.#timer);
    this.#closed = true;
    for (const { failed } of this.#probes) failed(reason);
    this.#probes = [];
  }

  #receive(message: PeerMessage): void {
    this.#lastReceived = performance.now();
    switch (message.kind) {
      case 'ping':
        this.send({ kind: 'pong', nonce: message.nonce });
        break;
      case 'pong':
        this.#pong(message.nonce);
        break;
      case 'proof':
      case 'hello':
        throw new ProtocolError(`a second ${message.kind}`);
      default:
        this.#handlers?.onMessage(this, message);
    }
  }

  #keepAlive(): void {
    const silentMs = performance.now() - this.#lastReceived;
    const { idleMs, deadMs } = this.#keepalive;
    if (silentMs > deadMs) this.destroy(new LinkSilentError(`silent for ${Math.round(silentMs / 1000)} s`));
    else if (silentMs > idleMs || !this.#ping) this.#sendPing();
  }

  #sendPing(): number {
    this.#pings += 1;
    this.#ping = { nonce: this.#pings, sentAt: performance.now() };
    this.send({ kind: 'ping', nonce: this.#pings });
    return this.#pings;
  }

  #pong(nonce: number): void {
    if (nonce > this.#pings) return;
    if (this.#ping?.nonce === nonce) {
      this.rttMs = performance.now() - this.#ping.sentAt;
      this.minRttMs = Math.min(this.minRttMs, this.rttMs);
    }
    for (const probe of this.#probes) if (probe.nonce <= nonce) probe.answered();
    this.#probes = this.#probes.filter((probe) => probe.nonce > nonce);
  }
}
