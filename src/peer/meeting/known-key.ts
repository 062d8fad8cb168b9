import { ExitCode, UserError } from '../../protocol/errors.js';
import type { Identity } from '../../protocol/identity.js';
import type { OwnKeys } from '../keys/former-keys.js';
import { RefusedError } from '../mediator/connection.js';
import type { Judge } from '../mediator/judge.js';
import { OtherKeys } from '../mediator/other-keys.js';

export interface KnownKeyOptions {
  host: string;
  port: number;
  own: OwnKeys;
  judgeMediator: Judge;
  /** The session has a link. */
  isConnected(): boolean;
  /** The mediator answers under the key in use. */
  isOnline(): boolean;
  /** From now on the session is to be opened with another of our keys. */
  onUse(identity: Identity): void;
  /** The mediator admits the newest key: the peer may hear of it. */
  onReady(): void;
  /** For the person. */
  onNotice(error: UserError): void;
}

/** Nobody introduces us: the keys are tried in turn, each for as long as a handshake or two takes. */
const TURN_MS = 10_000;
const NOTICE_AFTER_MS = 2_000;

/**
 * Which of our keys the peer knows us by. It follows at a time of its own, and tells nobody: so we stay registered
 * under each of them, and open the session with the one by which we are called.
 */
export class KnownKey {
  readonly #o: KnownKeyOptions;
  #candidates: readonly Identity[];
  #current: Identity;
  #others: OtherKeys | null = null;
  #called: Identity | null = null;
  #wantedId = '';
  readonly #refused = new Set<Identity>();
  readonly #noticed = new Set<Identity>();
  readonly #notices = new Set<NodeJS.Timeout>();
  #turns: NodeJS.Timeout | undefined;

  constructor(options: KnownKeyOptions) {
    this.#o = options;
    this.#candidates = options.own.line;
    this.#current = options.own.line[0];
  }

  get current(): Identity {
    return this.#current;
  }

  get newest(): Identity {
    return this.#candidates.at(-1) ?? this.#current;
  }

  get isOver(): boolean {
    return this.#candidates.length === 1;
  }

  /** Registers the keys that are not in use, as wanting this peer. */
  start(wantedId: string): void {
    this.#others?.stop();
    this.#wantedId = wantedId;
    this.#called = null;
    if (this.isOver) return;
    const { host, port, own, judgeMediator } = this.#o;
    this.#others = new OtherKeys({
      host,
      port,
      wantedId,
      identities: this.#candidates.filter((each) => each !== this.#current),
      successions: own.successions,
      judge: judgeMediator,
      onAdmitted: (identity) => this.#admitted(identity),
      onRefused: (identity) => this.#wasRefused(identity),
      onCalled: (identity) => this.#wasCalled(identity),
    });
    if (this.#o.isOnline()) this.#others.start();
    this.#turns ??= setInterval(() => this.#takeTurn(), TURN_MS);
  }

  stop(): void {
    clearInterval(this.#turns);
    this.#turns = undefined;
    for (const timer of this.#notices) clearTimeout(timer);
    this.#others?.stop();
    this.#others = null;
  }

  /** The mediator has let in the key in use. */
  online(): void {
    this.#refused.delete(this.#current);
    this.#others?.start();
    if (this.#current === this.newest) this.#o.onReady();
  }

  /** The mediator has taken our word for a later key. */
  succeeded(): void {
    this.#others?.askAgain();
  }

  /** Whether another key is used instead of one that the mediator does not admit. */
  replaces(error: UserError): boolean {
    if (!(error.cause instanceof RefusedError)) return false;
    this.#refused.add(this.#current);
    const next = this.#candidates.find((each) => !this.#refused.has(each));
    if (next === undefined) return false;
    this.#notice(this.#current);
    this.#use(next);
    return true;
  }

  /** The session has a link under the key in use: the peer knows it, and those before it are over. */
  connected(): void {
    this.#called = null;
    const at = this.#candidates.indexOf(this.#current);
    if (at <= 0) return;
    this.#candidates = this.#candidates.slice(at);
    if (this.isOver) this.stop();
    else this.start(this.#wantedId);
  }

  /** The session has no link. */
  lost(): void {
    if (this.#called) this.#use(this.#called);
  }

  #admitted(identity: Identity): void {
    this.#refused.delete(identity);
    if (identity === this.newest) this.#o.onReady();
  }

  #wasRefused(identity: Identity): void {
    this.#refused.add(identity);
    // It may be taking our word for the key at this very moment.
    const timer = setTimeout(() => {
      this.#notices.delete(timer);
      if (this.#refused.has(identity) && !this.#isOnTheWay(identity)) this.#notice(identity);
    }, NOTICE_AFTER_MS);
    this.#notices.add(timer);
  }

  /** Between the key in use and the newest one: the peer knows us by the former, and is to follow to the latter. */
  #isOnTheWay(identity: Identity): boolean {
    return identity !== this.newest && this.#candidates.indexOf(identity) > this.#candidates.indexOf(this.#current);
  }

  /** While there is a link, it may be about to end just because the peer has followed. */
  #wasCalled(identity: Identity): void {
    if (this.#o.isConnected()) this.#called = identity;
    else this.#use(identity);
  }

  #takeTurn(): void {
    if (this.#o.isConnected() || this.#o.isOnline()) return;
    const at = this.#candidates.indexOf(this.#current);
    const next = this.#candidates[(at + 1) % this.#candidates.length];
    if (next) this.#use(next);
  }

  #use(identity: Identity): void {
    if (identity === this.#current) return;
    this.#current = identity;
    this.#others?.stop();
    this.#others = null;
    this.#o.onUse(identity);
  }

  /** Once for each key. */
  #notice(identity: Identity): void {
    if (this.#noticed.has(identity)) return;
    this.#noticed.add(identity);
    const isNewest = identity === this.newest;
    this.#o.onNotice(
      new UserError(
        ExitCode.mediatorRefused,
        isNewest
          ? 'the mediator does not admit your new key yet, so the old one stays in use'
          : 'the mediator does not admit your former key any more, by which the peer may still know you',
        isNewest
          ? 'Send your new public.pem to whoever runs it; the peer is told of the new key as soon as it is admitted.'
          : 'Give the peer your new public.pem, to be taken with: p2p contact follow NAME FILE',
      ),
    );
  }
}
