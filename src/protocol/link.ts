import { KEEPALIVE_ANSWER_MS, KEEPALIVE_DEAD_MS, KEEPALIVE_IDLE_MS, MAX_FRAME_PEER } from './constants.js';
import type { DataChunk } from './data-frames.js';
import { LinkClosedError, LinkSilentError, ProtocolError } from './errors.js';
import type { FramedStream } from './framed-stream.js';
import { type Keepalive, Liveness } from './liveness.js';
import type { Hello, PathKind, PeerMessage } from './messages.js';
import type { Role } from './transcripts.js';

export interface LinkHandlers {
  onMessage(link: Link, message: PeerMessage): void;
  onData(link: Link, chunk: DataChunk): void;
  /** More may be written: the network took what was buffered. */
  onDrain(link: Link): void;
  /** What the peer should have answered goes unanswered: the link may be dead. Once for each silence. */
  onDoubt(link: Link): void;
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

const KEEPALIVE: Keepalive = {
  idleMs: KEEPALIVE_IDLE_MS,
  deadMs: KEEPALIVE_DEAD_MS,
  answerMs: KEEPALIVE_ANSWER_MS,
};
const JUDGE_EVERY_MS = 250;
/** However long it has been silent: a link that is probed has this long to answer. */
const LEAST_PROBE_MS = 2_000;

/** What the peer answers soon, whatever it thinks of it. */
const ASKS: ReadonlySet<PeerMessage['kind']> = new Set(['ping', 'item', 'activate']);

/**
 * One authenticated, encrypted, framed connection: what the second handshake leaves behind. Answers pings itself, sends
 * them when idle, tells when it is doubtful, and declares itself dead when nothing came for too long.
 */
export class Link {
  readonly facts: LinkFacts;
  rttMs: number;
  /** What the path takes when nothing of ours waits in front. */
  minRttMs: number;
  readonly #stream: FramedStream<PeerMessage>;
  readonly #liveness: Liveness;
  readonly #timer: NodeJS.Timeout;
  #handlers: LinkHandlers | null = null;
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
    this.#liveness = new Liveness(keepalive, performance.now());
    stream.frameLimit = MAX_FRAME_PEER;
    stream.expectMuch();
    stream.onDrain(() => this.#handlers?.onDrain(this));
    this.#timer = setInterval(() => this.#keepAlive(), Math.min(JUDGE_EVERY_MS, keepalive.idleMs / 2));
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#stream.attach({
      onMessage: (message) => this.#receive(message),
      onData: (chunk) => {
        this.#liveness.heard(performance.now());
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
    if (ASKS.has(message.kind)) this.#liveness.asked(performance.now());
    this.#stream.send(message);
  }

  /** Copies the content. */
  sendData(stream: number, entry: number, offset: number, content: Buffer): void {
    this.#liveness.asked(performance.now());
    this.#stream.sendData(stream, entry, offset, content);
  }

  /** As FramedStream.sendDataFrame. */
  sendDataFrame(stream: number, entry: number, offset: number, frame: Buffer, onTaken: () => void): void {
    this.#liveness.asked(performance.now());
    this.#stream.sendDataFrame(stream, entry, offset, frame, onTaken);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#liveness.heard(performance.now());
    this.#stream.resume();
  }

  /**
   * Asks for a sign of life. Rejects if the link closes, as it does with a LinkClosedError if there is silence for `ms`
   * (of which it may have been silent for a part already).
   */
  async probe(ms: number): Promise<void> {
    if (this.#closed) throw new LinkClosedError('the link is closed');
    const silentMs = this.#liveness.silentMs(performance.now());
    const nonce = this.#sendPing();
    const timer = setTimeout(
      () => this.destroy(new LinkSilentError('no answer from the peer')),
      Math.max(ms - silentMs, Math.min(ms, LEAST_PROBE_MS)),
    );
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
    this.#liveness.heard(performance.now());
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
    // After a program was held up its timers come first, and what had arrived long ago is only then read.
    setImmediate(() => {
      if (!this.#closed) this.#judge(performance.now());
    });
  }

  #judge(now: number): void {
    switch (this.#liveness.judge(now)) {
      case 'alive':
        break;
      case 'ask':
        this.#sendPing();
        break;
      case 'doubtful':
        this.#handlers?.onDoubt(this);
        break;
      case 'dead':
        this.destroy(new LinkSilentError(`silent for ${Math.round(this.#liveness.silentMs(now) / 1000)} s`));
    }
  }

  #sendPing(): number {
    this.#pings += 1;
    this.#ping = { nonce: this.#pings, sentAt: performance.now() };
    this.#liveness.pinged(performance.now());
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
