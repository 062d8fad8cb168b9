import { randomBytes } from 'node:crypto';
import { JOURNAL_ID_BYTES } from '../../protocol/constants.js';
import { ProtocolError, type UserError } from '../../protocol/errors.js';
import type { Identity } from '../../protocol/identity.js';
import type { Link } from '../../protocol/link.js';
import type { Introduction, PathKind, PeerMessage } from '../../protocol/messages.js';
import type { MediatorConnection } from '../mediator/connection.js';
import type { Judge } from '../mediator/judge.js';
import { Mediation } from '../mediator/mediation.js';
import { CurrentRace } from '../meeting/current-race.js';
import { isOnOwnNetwork } from '../paths/addresses.js';
import type { MapPort } from '../paths/port-mapping/port-mapper.js';
import { preferenceOf } from '../paths/preference.js';
import type { Attempt, RaceTerms } from '../paths/race.js';
import { Changes } from './changes.js';
import { type Prediction, predictPath } from './predict-path.js';

export interface PeerMeetingOptions {
  host: string;
  port: number;
  identity: Identity;
  race: Pick<RaceTerms, 'credentials' | 'peer' | 'allowed' | 'hostCandidates'>;
  mapPort: MapPort | null;
  hairpin: boolean | null;
  judge: Judge;
  /** The peer is not there, or not there any more. */
  onWaiting(): void;
  /** It is, and every path is being tried. */
  onTrying(): void;
}

export type Encounter =
  | { kind: 'absent' }
  /** `link`: over the best path that may carry a session; null: over none. */
  | { kind: 'met'; link: LinkSeen | null; prediction: Prediction; attempts: readonly Attempt[]; impostor: boolean };

export interface LinkSeen {
  path: PathKind;
  remote: string;
  sameNetwork: boolean;
  /** The shortest round trip that was seen. */
  rttMs: number;
  group: string;
}

/** A peer that has come is tried for this long: all that a race does is over by then. */
const TRY_MS = 14_000;
/** Where no direct path is foreseen, for this long: what opens against all expectation opens soon. */
const HOPELESS_MS = 6_000;
/** After this long without any path, a peer that leaves has seen enough of it too. */
const ENOUGH_MS = 3_000;
/** The other side sees a path open a little later, and a better one may be under way. */
const GRACE_MS = 1_500;
const PROBE_MS = 5_000;

/**
 * Meets the peer without talking to it: every path is raced as for a session, but its links are said to be for
 * signalling alone, so that neither side delivers anything over them. The peer may be another doctor, or a program that
 * waits for its session and is introduced again and again meanwhile.
 */
export class PeerMeeting {
  readonly #o: PeerMeetingOptions;
  readonly #mediation: Mediation;
  readonly #race: CurrentRace;
  readonly #open = new Set<Link>();
  /** Those that may carry a session. They may be closed by now. */
  readonly #seen: Link[] = [];
  readonly #changes = new Changes();
  #prediction: Prediction = { path: null, why: 'the peer told nothing of itself' };
  /** A link has authenticated, be it one that carries no session. */
  #isLinked = false;
  #absent = true;
  #failure: UserError | null = null;

  constructor(options: PeerMeetingOptions) {
    this.#o = options;
    const { race, mapPort } = options;
    const runId = randomBytes(JOURNAL_ID_BYTES).toString('hex');
    this.#race = new CurrentRace({
      ...race,
      runId,
      journalId: () => runId,
      mapPort,
      preferenceOf,
      examining: true,
    });
    this.#mediation = new Mediation({
      host: options.host,
      port: options.port,
      identity: options.identity,
      wantedId: race.peer.id,
      judge: options.judge,
      hopes: () => false,
      handlers: {
        onOnline: () => {},
        onOffline: () => {},
        onUnreachable: () => {},
        onWaiting: () => this.#waiting(),
        onIntroduction: (introduction, connection) => this.#introduced(introduction, connection),
        onFatal: (error) => {
          this.#failure = error;
          this.#changes.tell();
        },
      },
    });
  }

  /**
   * Waits for the peer, and tries every path to it.
   * @param timeoutMs for the peer to come; null: for as long as it takes
   * @throws UserError if the mediator is lost for good, or the same pair registers from elsewhere
   */
  async run(timeoutMs: number | null, signal: AbortSignal): Promise<Encounter> {
    this.#mediation.start();
    const giveUpAt = performance.now() + (timeoutMs ?? 0);
    for (;;) {
      const patienceMs = timeoutMs === null ? null : Math.max(0, giveUpAt - performance.now());
      const came = await this.#changes.until(() => this.#isThere(), patienceMs, signal);
      if (!came) return { kind: 'absent' };
      const cameAt = performance.now();
      this.#o.onTrying();
      const isOver = () => this.#isSettled() || this.#hasLeft();
      const early = await this.#changes.until(isOver, HOPELESS_MS, signal);
      if (!early && this.#foreseesDirectPath) await this.#changes.until(isOver, TRY_MS - HOPELESS_MS, signal);
      if (this.#absent && !this.#isLearnt(performance.now() - cameAt)) continue;
      if (this.#isSettled()) await this.#changes.until(() => this.#hasLeft(), GRACE_MS, signal);
      return this.#encounter();
    }
  }

  async stop(): Promise<void> {
    this.#mediation.stop();
    this.#race.stop();
    await Promise.all(Array.from(this.#open, (link) => link.end('examined')));
  }

  #waiting(): void {
    this.#absent = true;
    if (this.#seen.length === 0) this.#o.onWaiting();
    this.#changes.tell();
  }

  #introduced(introduction: Introduction, connection: MediatorConnection): void {
    this.#absent = false;
    this.#race.start(introduction, connection, (link) => this.#adopt(link));
    this.#changes.tell();
  }

  #adopt(link: Link): void {
    this.#open.add(link);
    this.#isLinked = true;
    link.attach({
      onMessage: (_, message) => this.#receive(message),
      onData: () => {
        throw new ProtocolError('file content on a link for signalling alone');
      },
      onDrain: () => {},
      onDoubt: () => {},
      onClose: () => {
        this.#open.delete(link);
        this.#changes.tell();
      },
    });
    if (link.facts.path !== 'relay' || this.#relayCarries) this.#seen.push(link);
    // The handshake took longer than a round trip takes.
    link.probe(PROBE_MS).catch(() => {});
    this.#changes.tell();
  }

  #receive(message: PeerMessage): void {
    if (message.kind === 'activate' || message.kind === 'activated') {
      throw new ProtocolError(`${message.kind} on a link for signalling alone`);
    }
    // A session's messages are not for us: what is not acknowledged is said again to a session.
    if (message.kind !== 'candidates') return;
    this.#race.peerCandidates(message.introductionId, message.candidates);
    this.#changes.tell();
  }

  get #relayCarries(): boolean {
    return this.#race.introduction?.relayQuota === 0 && this.#o.race.allowed.includes('relay');
  }

  /** @throws UserError if it cannot come any more */
  #isThere(): boolean {
    if (this.#failure) throw this.#failure;
    return !this.#absent;
  }

  get #foreseesDirectPath(): boolean {
    const { path } = this.#prediction;
    return path !== null && path !== 'relay';
  }

  /** Nothing better than what was seen is to be expected. */
  #isSettled(): boolean {
    const { own, theirs } = this.#race.candidates;
    if ((theirs.length === 0 || own.length === 0) && !this.#mayOnlyRelay) return false;
    this.#prediction = predictPath({
      mine: own,
      theirs,
      allowed: this.#o.race.allowed,
      relayCarries: this.#relayCarries,
      hairpin: this.#o.hairpin,
      isNear: isOnOwnNetwork,
    });
    if (this.#mayOnlyRelay) return this.#isLinked;
    const { path } = this.#prediction;
    const best = this.#best();
    if (best === null || path === null || path === 'relay') return false;
    return preferenceOf(best.facts) <= preferenceOf({ path, sameNetwork: false });
  }

  get #mayOnlyRelay(): boolean {
    return this.#o.race.allowed.every((path) => path === 'relay');
  }

  /** Of a peer that left: it may only have looked in. */
  #isLearnt(afterMs: number): boolean {
    return this.#seen.length > 0 || this.#race.impostorSeen || afterMs > ENOUGH_MS;
  }

  /** The peer is gone, or has closed all that was open. */
  #hasLeft(): boolean {
    return !this.#isThere() || (this.#seen.length > 0 && this.#open.size === 0);
  }

  #best(): Link | null {
    return [...this.#seen].sort((a, b) => preferenceOf(a.facts) - preferenceOf(b.facts))[0] ?? null;
  }

  #encounter(): Encounter {
    const best = this.#best();
    const link = best && seenOf(best);
    const { attempts, impostorSeen: impostor } = this.#race;
    return { kind: 'met', link, prediction: this.#prediction, attempts, impostor };
  }
}

function seenOf({ facts: { path, remote, sameNetwork, group }, minRttMs }: Link): LinkSeen {
  return { path, remote, sameNetwork, rttMs: Math.round(minRttMs * 10) / 10, group };
}
