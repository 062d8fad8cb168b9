import type { Link } from '../../protocol/link.js';
import type { Candidate, Introduction } from '../../protocol/messages.js';
import type { MediatorConnection } from '../mediator/connection.js';
import { isLoopback } from '../paths/addresses.js';
import { PATH_FACTORIES } from '../paths/path-factories.js';
import { type Attempt, Race, type RaceOptions, type RaceTerms } from '../paths/race.js';

export type CurrentRaceOptions = RaceTerms & Pick<RaceOptions, 'mapPort'>;

/** The other side's last handshakes may still be under way when the best path is there. */
const GRACE_MS = 1_000;
const MAX_ATTEMPTS_KEPT = 200;

/** The race of the newest introduction, which ends that of the one before, and what has come of it. */
export class CurrentRace {
  readonly #o: CurrentRaceOptions;
  #race: Race | null = null;
  #introduction: Introduction | null = null;
  #mediatorOnLoopback: boolean | null = null;
  #attempts: Attempt[] = [];
  #impostorSeen = false;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(options: CurrentRaceOptions) {
    this.#o = options;
  }

  /** @param onLink a link has authenticated; it must be attached before this returns */
  start(introduction: Introduction, mediator: MediatorConnection, onLink: (link: Link) => void): void {
    this.stop();
    this.#introduction = introduction;
    this.#mediatorOnLoopback = isLoopback(mediator.remote.address);
    this.#attempts = [];
    this.#race = new Race({
      ...this.#o,
      introduction,
      mediator,
      journalId: this.#o.journalId(),
      factories: PATH_FACTORIES,
      onLink,
      onImpostor: () => this.noteImpostor(),
      onAttempt: (attempt) => this.noteAttempt(attempt),
    });
    this.#race.start();
  }

  stop(): void {
    clearTimeout(this.#graceTimer);
    this.#race?.stop();
  }

  /** The session uses this link now. */
  chosen(link: Link): void {
    this.#race?.chosen(link);
    if (link.facts.path !== 'tcp-direct') return;
    const race = this.#race;
    clearTimeout(this.#graceTimer);
    this.#graceTimer = setTimeout(() => race?.stop(), GRACE_MS);
  }

  peerCandidates(introductionId: string, candidates: readonly Candidate[]): void {
    if (this.#race?.introductionId === introductionId) this.#race.peerCandidates(candidates);
  }

  noteAttempt(attempt: Attempt): void {
    this.#attempts.push(attempt);
    if (this.#attempts.length > MAX_ATTEMPTS_KEPT) this.#attempts.shift();
  }

  noteImpostor(): void {
    this.#impostorSeen = true;
  }

  get introduction(): Introduction | null {
    return this.#introduction;
  }

  /** Null: not known, for no mediator introduced us. */
  get mediatorOnLoopback(): boolean | null {
    return this.#mediatorOnLoopback;
  }

  /** What each side has told the other so far. */
  get candidates(): { own: readonly Candidate[]; theirs: readonly Candidate[] } {
    return this.#race?.candidates ?? { own: [], theirs: [] };
  }

  /** What was tried since the introduction, and how it ended. */
  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  /** Someone without the peer's key has answered in its place, in this race or an earlier one. */
  get impostorSeen(): boolean {
    return this.#impostorSeen;
  }
}
