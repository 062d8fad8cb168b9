import { LinkClosedError, ProtocolError } from '../protocol/errors.js';
import type { FramedStream } from '../protocol/framed-stream.js';
import type { MediatorMessage } from '../protocol/messages.js';
import { TokenBucket } from '../protocol/token-bucket.js';
import type { Proven } from './first-handshake.js';

/** Three of the pings that a peer sends, and the better part of a fourth. */
const SILENT_MS = 45_000;
const MAX_BUFFERED_BYTES = 256 * 1024;
/** A peer pings every ten seconds and asks to meet now and then; one that sends without end would keep others waiting. */
const MESSAGE_BURST = 64;
const MESSAGES_PER_SECOND = 10;

export interface ControlHandlers {
  onMeet(): void;
  onWantProbes(): void;
  /** The peer names a key that takes the place of its own. */
  onSuccession(statement: string): void;
  /** Once: the connection ended by itself, or broke a rule. Not after `finish`. */
  onEnd(why: Error): void;
}

/** The control connection of an admitted peer. */
export class ControlConnection {
  readonly #stream: FramedStream<MediatorMessage>;
  readonly #handlers: ControlHandlers;
  readonly #budget = new TokenBucket(MESSAGE_BURST, MESSAGES_PER_SECOND, performance.now());
  #heardAt = performance.now();
  #finished = false;

  constructor({ stream }: Proven, handlers: ControlHandlers) {
    this.#stream = stream;
    this.#handlers = handlers;
  }

  /** Begins to listen. */
  start(): void {
    this.#stream.attach({
      onMessage: (message) => this.#receive(message),
      onClose: (why) => {
        if (!this.#finished) this.#handlers.onEnd(why);
      },
    });
  }

  send(message: MediatorMessage): void {
    this.#stream.send(message);
    if (this.#stream.bufferedBytes > MAX_BUFFERED_BYTES) this.#drop('does not read');
  }

  /** Flushes and closes. */
  finish(): void {
    this.#finished = true;
    this.#stream.end();
  }

  dropIfSilent(): void {
    if (performance.now() - this.#heardAt > SILENT_MS) this.#drop('is silent');
  }

  #receive(message: MediatorMessage): void {
    const now = performance.now();
    this.#heardAt = now;
    if (this.#budget.waitMs(now) > 0) throw new ProtocolError('too many messages');
    this.#budget.take(now);
    switch (message.kind) {
      case 'ping':
        this.send({ kind: 'pong', nonce: message.nonce });
        break;
      case 'meet':
        this.#handlers.onMeet();
        break;
      case 'wantProbes':
        this.#handlers.onWantProbes();
        break;
      case 'succession':
        this.#handlers.onSuccession(message.statement);
        break;
      case 'goodbye':
        this.#stream.end();
        break;
      default:
        throw new ProtocolError(`${message.kind} after admission`);
    }
  }

  #drop(why: string): void {
    this.#stream.destroy(new LinkClosedError(`the peer ${why}`));
  }
}
