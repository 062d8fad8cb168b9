import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode, errorCode, ProtocolError, UserError, WrongPeerError } from '../../protocol/errors.js';
import type { Identity } from '../../protocol/identity.js';
import type { Introduction, MediatorMessage } from '../../protocol/messages.js';
import { sanitiseLine } from '../../protocol/sanitise.js';
import type { Succession } from '../../protocol/succession.js';
import { TokenBucket } from '../../protocol/token-bucket.js';
import { describeSystemError } from '../../shared/system-error.js';
import { isOwnAddress } from '../paths/addresses.js';
import { connectToMediator, type MediatorConnection, RefusedError } from './connection.js';
import type { Judge } from './judge.js';

export interface MediationHandlers {
  onOnline(): void;
  onWaiting(): void;
  onIntroduction(introduction: Introduction, connection: MediatorConnection): void;
  onOffline(reason: string): void;
  /** Another attempt to connect has failed. */
  onUnreachable(reason: string): void;
  /** The mediator has heard of our successor; whether it admits it now. */
  onSucceeded?(admitted: boolean): void;
  /** No way on by itself: unreachable at first, refused, replaced, or its key changed. */
  onFatal(error: UserError): void;
}

export interface MediationOptions {
  host: string;
  port: number;
  identity: Identity;
  wantedId: string;
  /** Throws a UserError if this is not the mediator's key as pinned. */
  judge: Judge;
  /** There is another way to the peer: an unreachable mediator is no reason to give up. */
  hopes(): boolean;
  /** What this key says of the one that follows it, for a mediator that wants to know. */
  succession?: Succession | null;
  handlers: MediationHandlers;
}

const FIRST_CONTACT_MS = 10_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
/** A registration that lasted this long was one: a mediator that admits and drops at once is not worth hurrying for. */
const STEADY_MS = 10_000;
const PING_EVERY_MS = 10_000;
const SILENT_MS = 25_000;
const PROBE_MS = 2_000;
/**
 * What a mediator may say: a new race for each introduction, and a line for each change, cost more than it costs to send
 * them. An honest one introduces a pair ten times in a row and then once a second.
 */
const MESSAGE_BURST = 64;
const MESSAGES_PER_SECOND = 4;

/** A newer registration took this one's place: whoever holds it has the conversation now. */
export class ReplacedError extends UserError {
  constructor() {
    super(
      ExitCode.mediatorRefused,
      'the same key has opened this conversation from somewhere else',
      'Close it there first, or use that one; two places cannot hold one conversation.',
    );
  }
}

/**
 * Keeps this peer registered with its mediator: connects, authenticates, and again with backoff when the connection is
 * lost. Losing it ends nothing but new introductions.
 */
export class Mediation {
  readonly #options: MediationOptions;
  readonly #stopping = new AbortController();
  #probeTimer: NodeJS.Timeout | undefined;
  #connection: MediatorConnection | null = null;
  #everAdmitted = false;
  #lastReceived = 0;
  /** Of all connections together: being cut off costs a hostile mediator nothing. */
  readonly #budget = new TokenBucket(MESSAGE_BURST, MESSAGES_PER_SECOND, performance.now());

  constructor(options: MediationOptions) {
    this.#options = options;
  }

  start(): void {
    this.#keepRegistered().catch((error) => {
      if (!this.#stopping.signal.aborted) this.#options.handlers.onFatal(this.#explain(error));
    });
  }

  stop(): void {
    clearTimeout(this.#probeTimer);
    if (this.#connection) {
      this.#connection.stream.send({ kind: 'goodbye', reason: 'quit' });
      this.#connection.stream.end();
    }
    this.#stopping.abort(new Error('stopped'));
  }

  get online(): boolean {
    return this.#connection !== null;
  }

  /** Asks to be introduced again. Nothing happens while offline: registering anew will do the same. */
  meet(): void {
    this.#connection?.stream.send({ kind: 'meet' });
  }

  /** Asks the mediator for a sign of life: without one soon, the connection is given up and made anew. */
  probe(): void {
    const connection = this.#connection;
    if (!connection) return;
    if (!isOwnAddress(connection.local.address)) {
      connection.stream.destroy(new Error('this machine has another address now'));
      return;
    }
    const askedAt = performance.now();
    connection.stream.send({ kind: 'ping', nonce: 0 });
    clearTimeout(this.#probeTimer);
    this.#probeTimer = setTimeout(() => {
      if (this.#lastReceived < askedAt) connection.stream.destroy(new Error('the mediator is silent'));
    }, PROBE_MS);
  }

  async #keepRegistered(): Promise<void> {
    const { signal } = this.#stopping;
    const giveUpAt = performance.now() + FIRST_CONTACT_MS;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#register();
        const admittedAt = performance.now();
        await this.#serve();
        if (performance.now() - admittedAt > STEADY_MS) retryMs = FIRST_RETRY_MS;
      } catch (error) {
        signal.throwIfAborted();
        if (isFinal(error)) throw error;
        this.#options.handlers.onUnreachable(reasonOf(error));
        const late = performance.now() >= giveUpAt;
        if (!this.#everAdmitted && late && !this.#options.hopes()) throw error;
      }
      // Half of it by chance: after a mediator's restart its peers should not all come at once.
      await sleep(retryMs * (0.5 + Math.random() / 2), undefined, { signal });
      retryMs = Math.min(retryMs * 2, this.#everAdmitted ? LONGEST_RETRY_MS : FIRST_CONTACT_MS / 10);
    }
  }

  async #register(): Promise<void> {
    const { host, port, identity, wantedId, judge, handlers } = this.#options;
    this.#connection = await connectToMediator(host, port, identity, wantedId, judge, this.#stopping.signal);
    this.#everAdmitted = true;
    handlers.onOnline();
  }

  /** Resolves when the connection is lost, rejects when it must not come back. */
  async #serve(): Promise<void> {
    const connection = this.#connection;
    if (!connection) return;
    const { succession } = this.#options;
    if (succession && connection.followsSuccessions) {
      connection.stream.send({ kind: 'succession', statement: succession.statement.toString('hex') });
    }
    this.#lastReceived = performance.now();
    const pings = setInterval(() => {
      if (performance.now() - this.#lastReceived > SILENT_MS)
        connection.stream.destroy(new Error('the mediator is silent'));
      else connection.stream.send({ kind: 'ping', nonce: 0 });
    }, PING_EVERY_MS);
    try {
      const reason = await new Promise<string>((resolve, reject) => {
        connection.stream.attach({
          onMessage: (message) => {
            this.#lastReceived = performance.now();
            this.#countMessage();
            if (message.kind === 'replaced') reject(new ReplacedError());
            else if (message.kind === 'goodbye') resolve(`the mediator said goodbye: ${sanitiseLine(message.reason)}`);
            else this.#handle(message, connection);
          },
          onClose: (error) => resolve(error.message),
        });
      });
      if (!this.#stopping.signal.aborted) this.#options.handlers.onOffline(reason);
    } finally {
      clearInterval(pings);
      this.#connection = null;
      connection.stream.destroy(new Error('done'));
    }
  }

  #countMessage(): void {
    const now = performance.now();
    if (this.#budget.waitMs(now) > 0) throw new ProtocolError('the mediator says too much');
    this.#budget.take(now);
  }

  #handle(message: MediatorMessage, connection: MediatorConnection): void {
    switch (message.kind) {
      case 'waiting':
        this.#options.handlers.onWaiting();
        break;
      case 'introduction':
        this.#options.handlers.onIntroduction(message, connection);
        break;
      case 'pong':
        break;
      case 'succeeded':
        this.#options.handlers.onSucceeded?.(message.admitted);
        break;
      default:
        throw new ProtocolError(`${message.kind} from the mediator after admission`);
    }
  }

  #explain(error: unknown): UserError {
    if (error instanceof UserError) return error;
    const { host, port } = this.#options;
    if (error instanceof RefusedError) {
      return new UserError(
        ExitCode.mediatorRefused,
        `the mediator at ${host} port ${port} does not admit this key`,
        'Ask whoever runs it to put your public.pem into its directory of keys (p2p-server --certs DIR).',
        { cause: error },
      );
    }
    return new UserError(
      ExitCode.mediatorUnreachable,
      `the mediator at ${host} port ${port} cannot be reached: ${reasonOf(error)}`,
      'Check the host and the port, and that p2p-server is running there and its port is open.',
      { cause: error },
    );
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof UserError || error instanceof RefusedError;
}

/** Why there is no connection, for people. */
export function reasonOf(error: unknown): string {
  const code = errorCode(error) ?? '';
  // What OpenSSL says of them is meant for programmers.
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return 'what answers there does not speak TLS as a mediator does';
  if (error instanceof ProtocolError || error instanceof WrongPeerError) {
    return `what answers there is not a mediator (${sanitiseLine(error.message)})`;
  }
  switch (code) {
    case 'ENOTFOUND':
      return 'the name does not resolve';
    case 'EAI_AGAIN':
      return 'no name server answers';
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'what answers there hangs up';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return 'there is no route to it';
    default:
      return sanitiseLine(describeSystemError(error));
  }
}
