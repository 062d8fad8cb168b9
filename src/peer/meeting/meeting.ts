import type { UserError } from '../../protocol/errors.js';
import type { Identity } from '../../protocol/identity.js';
import type { Link } from '../../protocol/link.js';
import type { Candidate, Introduction, Remember } from '../../protocol/messages.js';
import type { Succession } from '../../protocol/succession.js';
import { secureContextOf } from '../../protocol/tls.js';
import type { MediatorConnection } from '../mediator/connection.js';
import type { Judge } from '../mediator/judge.js';
import { Mediation, ReplacedError } from '../mediator/mediation.js';
import { PortMapper } from '../paths/port-mapping/port-mapper.js';
import type { Attempt, RaceTerms } from '../paths/race.js';
import { ServerlessMeeting } from '../serverless/serverless-meeting.js';
import type { SessionEvent } from '../session/events.js';
import { CurrentRace } from './current-race.js';
import { Improvement } from './improvement.js';
import { MeetAgain } from './meet-again.js';
import { NetworkWatch } from './network-watch.js';

export interface MeetingOptions {
  host: string;
  port: number;
  identity: Identity;
  /** What our key says of the one that follows it. */
  succession: Succession | null;
  /** The mediator has admitted us before: that it is away now is no reason to give up. */
  patient: boolean;
  race: RaceTerms;
  /** False: gateways are not asked to let the peer in. */
  portMapping: boolean;
  /** Throws a UserError unless this is the mediator's key as pinned. */
  judgeMediator: Judge;
  /** The session's link now, if it has one. */
  activeLink(): Link | null;
  /** The encrypted place where it is kept how to meet without a mediator. */
  memory: { load(): string; save(text: string): void };
  /** The peer is there: a link may come at any moment. */
  onIntroduced(): void;
  addLink(link: Link, generation: number): void;
  emit(event: SessionEvent): void;
  /** The mediator admits our successor now. */
  onSucceeded(): void;
  onFatal(error: UserError): void;
}

const PROBE_MS = 2_000;

/**
 * Finds the peer, and finds it again: keeps the registration with the mediator, runs a race for each introduction, and
 * asks for another when the session has no link.
 */
export class Meeting {
  readonly #o: MeetingOptions;
  readonly #mediation: Mediation;
  readonly #serverless: ServerlessMeeting | null;
  readonly #network: NetworkWatch;
  readonly #mapper: PortMapper | null;
  readonly #race: CurrentRace;
  readonly #improvement = new Improvement(() => this.#mediation.meet());
  readonly #meetAgain = new MeetAgain(() => this.#mediation.meet());
  #generation = 0;
  #peerAbsent = false;
  #postponed: UserError | null = null;
  #everOnline = false;
  #offlineTold = false;
  #beginning: NodeJS.Immediate | undefined;

  constructor(options: MeetingOptions) {
    this.#o = options;
    this.#mediation = new Mediation({
      host: options.host,
      port: options.port,
      identity: options.identity,
      wantedId: options.race.peer.id,
      judge: options.judgeMediator,
      hopes: () => options.patient || options.activeLink() !== null || this.#serverless?.hopes === true,
      succession: options.succession,
      handlers: {
        onOnline: () => {
          this.#everOnline = true;
          this.#offlineTold = false;
          this.#serverless?.rest();
          options.emit({ event: 'online' });
        },
        onWaiting: () => this.#waiting(),
        onIntroduction: (introduction, connection) => this.#introduced(introduction, connection),
        onOffline: (reason) => this.#offline(reason),
        onUnreachable: (reason) => this.#unreachable(reason),
        onSucceeded: (admitted) => {
          if (admitted) options.onSucceeded();
        },
        onFatal: (error) => this.#fatal(error),
      },
    });
    this.#mapper = options.portMapping ? new PortMapper() : null;
    this.#race = new CurrentRace({ ...options.race, mapPort: this.#mapper?.map ?? null });
    this.#serverless = options.race.allowed.includes('tcp-direct') ? this.#prepareServerless() : null;
    this.#network = new NetworkWatch(() => this.#networkChanged());
  }

  /** What was tried since the last introduction, and how it ended. */
  get attempts(): readonly Attempt[] {
    return this.#race.attempts;
  }

  /** Someone without the peer's key has answered in its place. */
  get impostorSeen(): boolean {
    return this.#race.impostorSeen;
  }

  /** The mediator has admitted us at some time. */
  get everOnline(): boolean {
    return this.#everOnline;
  }

  get online(): boolean {
    return this.#mediation.online;
  }

  get peerAbsent(): boolean {
    return this.#peerAbsent;
  }

  start(): void {
    this.#mediation.start();
    this.#beginning = setImmediate(() => this.#begin());
  }

  /** While the mediator's name is looked up, or the mediator computes its signature: nothing of it should wait for this. */
  #begin(): void {
    // The first link would have to wait for it.
    secureContextOf(this.#o.race.credentials);
    this.#network.start();
    this.#serverless?.start();
  }

  stop(): void {
    clearImmediate(this.#beginning);
    this.#meetAgain.rest();
    this.#improvement.stop();
    this.#race.stop();
    this.#serverless?.stop();
    this.#network.stop();
    this.#mediation.stop();
  }

  /** Once the last link is closed: gives back to gateways what they gave, within little more than a second. */
  async releasePorts(): Promise<void> {
    await this.#mapper?.stop();
  }

  /** The session has no link any more. */
  lost(): void {
    if (this.#postponed) this.#o.onFatal(this.#postponed);
    else if (!this.#mediation.online) this.#serverless?.seek();
    else if (this.#peerAbsent) this.#o.emit({ event: 'waiting' });
    else this.#meetAgain.lost();
  }

  /**
   * The session's link does not answer. An introduction brings a relay link within a moment, and the session goes on
   * there if it was right to doubt; if not, that one is a duplicate and ends.
   */
  doubted(): void {
    this.#mediation.probe();
    this.#mediation.meet();
  }

  /** The session uses this link now. */
  found(link: Link): void {
    this.#meetAgain.rest();
    this.#race.chosen(link);
    this.#improvement.uses(link.facts.path);
    this.#serverless?.rest();
    this.#serverless?.agree(link, this.#race.mediatorOnLoopback);
  }

  peerCandidates(introductionId: string, candidates: Candidate[]): void {
    this.#race.peerCandidates(introductionId, candidates);
  }

  /** The peer told how to be met without the mediator. */
  remember(link: Link, message: Remember): void {
    this.#serverless?.told(link, message);
  }

  #prepareServerless(): ServerlessMeeting {
    const { race, memory, addLink } = this.#o;
    return new ServerlessMeeting({
      ...race,
      mapPort: this.#mapper?.map ?? null,
      store: memory,
      onLink: (link) => {
        this.#generation += 1;
        addLink(link, this.#generation);
      },
      onImpostor: () => this.#race.noteImpostor(),
      onAttempt: (attempt) => this.#race.noteAttempt(attempt),
    });
  }

  #introduced(introduction: Introduction, connection: MediatorConnection): void {
    this.#peerAbsent = false;
    this.#generation += 1;
    const generation = this.#generation;
    this.#race.start(introduction, connection, (link) => this.#o.addLink(link, generation));
    this.#improvement.looking();
    this.#meetAgain.introduced(this.#o.activeLink() !== null);
    this.#o.onIntroduced();
  }

  #waiting(): void {
    this.#peerAbsent = true;
    this.#meetAgain.rest();
    // Absent for the mediator, and yet here: its connection to the mediator broke, ours to it did not.
    if (!this.#o.activeLink()) this.#o.emit({ event: 'waiting' });
  }

  #offline(reason: string): void {
    this.#offlineTold = true;
    this.#o.emit({ event: 'offline', reason });
  }

  #unreachable(reason: string): void {
    if (!this.#offlineTold) this.#offline(reason);
    if (this.#serverless?.hopes && !this.#o.activeLink()) this.#serverless.seek();
  }

  /** Another interface or address: what runs over the old one is dead and does not know it, and a better path may be there. */
  #networkChanged(): void {
    this.#improvement.startAnew();
    this.#mediation.probe();
    this.#o
      .activeLink()
      ?.probe(PROBE_MS)
      .catch(() => {});
    this.#mediation.meet();
  }

  /** What the mediator thinks of us ends no conversation that is going on without it; being replaced does. */
  #fatal(error: UserError): void {
    if (error instanceof ReplacedError || !this.#o.activeLink()) this.#o.onFatal(error);
    else {
      this.#postponed = error;
      this.#o.emit({ event: 'offline', reason: error.message });
    }
  }
}
