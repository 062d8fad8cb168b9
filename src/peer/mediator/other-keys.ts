import type { UserError } from '../../protocol/errors.js';
import type { Identity, PublicIdentity } from '../../protocol/identity.js';
import type { Succession } from '../../protocol/succession.js';
import { RefusedError } from './connection.js';
import type { Judge } from './judge.js';
import { Mediation } from './mediation.js';

export interface OtherKeysOptions {
  host: string;
  port: number;
  wantedId: string;
  identities: readonly Identity[];
  /** What each key says of the next, as far as there is one. */
  successions: readonly Succession[];
  judge: Judge;
  /** The mediator knows this key. */
  onAdmitted(identity: Identity): void;
  /** It does not, or not yet: it is asked again now and then. */
  onRefused(identity: Identity): void;
  /** The peer wants whoever has this key. */
  onCalled(identity: Identity): void;
}

/** An operator puts a key into a folder some time; until then it costs the mediator a connection now and then. */
const ASK_AGAIN_MS = 30_000;

/**
 * While keys change, the peer may want us by another of our keys than the one that the session is to be opened with:
 * each is registered with the mediator as well, for no more than to hear of it.
 */
export class OtherKeys {
  readonly #o: OtherKeysOptions;
  readonly #mediations = new Map<Identity, Mediation>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;
  /** How often the mediator has changed its mind. */
  #changes = 0;

  constructor(options: OtherKeysOptions) {
    this.#o = options;
  }

  start(): void {
    for (const identity of this.#o.identities) if (!this.#mediations.has(identity)) this.#register(identity);
  }

  /** The mediator may think otherwise now. */
  askAgain(): void {
    this.#changes += 1;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.start();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const mediation of this.#mediations.values()) mediation.stop();
  }

  #register(identity: Identity): void {
    const changes = this.#changes;
    const { host, port, wantedId, judge } = this.#o;
    const mediation = new Mediation({
      host,
      port,
      identity,
      wantedId,
      judge,
      hopes: () => true,
      succession: successionOf(identity, this.#o.successions),
      handlers: {
        onOnline: () => this.#tell(() => this.#o.onAdmitted(identity)),
        onWaiting: () => {},
        onIntroduction: () => this.#tell(() => this.#o.onCalled(identity)),
        onOffline: () => {},
        onUnreachable: () => {},
        onSucceeded: (admitted) => {
          if (admitted) this.askAgain();
        },
        onFatal: (error) => this.#lost(identity, error, changes),
      },
    });
    this.#mediations.set(identity, mediation);
    mediation.start();
  }

  /**
   * Whatever else it was, the session's own registration hears of it too, and says so.
   * @param changes how often the mediator had changed its mind when it was asked
   */
  #lost(identity: Identity, error: UserError, changes: number): void {
    if (this.#stopped || !(error.cause instanceof RefusedError)) return;
    this.#mediations.delete(identity);
    // It may have been refused before that: of several that are asked for at once, in whatever order the answers come.
    if (changes < this.#changes) {
      this.#register(identity);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.start();
    }, ASK_AGAIN_MS);
    this.#timers.add(timer);
    this.#o.onRefused(identity);
  }

  #tell(what: () => void): void {
    if (!this.#stopped) what();
  }
}

export function successionOf(identity: PublicIdentity, successions: readonly Succession[]): Succession | null {
  return successions.find(({ former }) => former.id === identity.id) ?? null;
}
