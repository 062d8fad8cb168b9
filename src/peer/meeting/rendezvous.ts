import { LinkClosedError, UserError } from '../../protocol/errors.js';
import type { Identity, PublicIdentity } from '../../protocol/identity.js';
import type { Link } from '../../protocol/link.js';
import type { PathKind } from '../../protocol/messages.js';
import { roleOf, SUCCESSION } from '../../protocol/peer-handshake.js';
import type { OwnKeys } from '../keys/former-keys.js';
import type { Judge } from '../mediator/judge.js';
import { successionOf } from '../mediator/other-keys.js';
import type { Attempt } from '../paths/race.js';
import type { SessionEvent } from '../session/events.js';
import type { Journal } from '../session/journal/journal.js';
import type { Session, SessionOptions } from '../session/session.js';
import { KnownKey } from './known-key.js';
import { Meeting } from './meeting.js';

/** What the search for the peer has to hear of the session. */
export type SessionHooks = Pick<
  SessionOptions,
  'role' | 'onLost' | 'onDoubt' | 'onUse' | 'onRemember' | 'onCandidates'
>;

export interface RendezvousOptions {
  host: string;
  port: number;
  own: OwnKeys;
  /** Around each of our own keys, by its id; in PEM. */
  certificates: ReadonlyMap<string, string>;
  peer: PublicIdentity;
  journal: Journal;
  allowed: readonly PathKind[];
  hostCandidates: boolean;
  portMapping: boolean;
  judgeMediator: Judge;
  /** The peer knows us by this key from now on. Throws a UserError if that cannot be written down. */
  onKnownAs?(identity: PublicIdentity): void;
  /** Nothing more can come of it: the program should end with this error's exit code. */
  onFatal(error: UserError): void;
  /** For the person. */
  onNotice(error: UserError): void;
  emit(event: SessionEvent): void;
  openSession(hooks: SessionHooks): Session;
}

/**
 * The search for the peer through all changes of keys: one meeting for each pair of keys, of which the session, which
 * outlives them, gets its links.
 */
export class Rendezvous {
  readonly session: Session;
  readonly #o: RendezvousOptions;
  readonly #keys: KnownKey;
  #peer: PublicIdentity;
  #meeting: Meeting;
  /** Of the meetings: what an earlier one still says does not count. */
  #turn = 0;
  #everOnline = false;
  #impostorSeen = false;
  /** The mediator admits the newest of our keys. */
  #isReady = false;
  #isChanging = false;
  #isLeaving = false;
  /** Keys of ours under which the peer has opened a link. */
  readonly #knownAs = new Set<string>();

  constructor(options: RendezvousOptions) {
    this.#o = options;
    this.#peer = options.peer;
    const { host, port, own, judgeMediator } = options;
    this.#keys = new KnownKey({
      host,
      port,
      own,
      judgeMediator,
      isConnected: () => this.session.active !== null,
      isOnline: () => this.#meeting.online,
      onUse: () => this.#changeKeysLater(),
      onReady: () => {
        this.#isReady = true;
        this.#tellSuccessions();
      },
      onNotice: options.onNotice,
    });
    this.session = options.openSession({
      role: roleOf(this.ownId, options.peer.id),
      onLost: () => {
        this.#keys.lost();
        this.#meeting.lost();
      },
      onDoubt: () => this.#meeting.doubted(),
      onUse: (link) => this.#useLink(link),
      onRemember: (link, message) => this.#meeting.remember(link, message),
      onCandidates: (id, candidates) => this.#meeting.peerCandidates(id, candidates),
    });
    this.#meeting = this.#newMeeting();
  }

  /** Of the key of ours that is in use. */
  get ownId(): string {
    return this.#keys.current.id;
  }

  get peerAbsent(): boolean {
    return this.#meeting.peerAbsent;
  }

  /** Someone without the peer's key has answered in its place. */
  get impostorSeen(): boolean {
    return this.#impostorSeen || this.#meeting.impostorSeen;
  }

  /** The mediator has admitted us at some time. */
  get everOnline(): boolean {
    return this.#everOnline || this.#meeting.everOnline;
  }

  get attempts(): readonly Attempt[] {
    return this.#meeting.attempts;
  }

  start(): void {
    this.#meeting.start();
    this.#keys.start(this.#peer.id);
  }

  /** The peer is known by this key from now on. */
  follow(peer: PublicIdentity): void {
    this.#peer = peer;
    this.#changeKeysLater();
  }

  /** No key changes any more: what is under way is to be finished. */
  leave(): void {
    this.#isLeaving = true;
  }

  stop(): void {
    this.leave();
    this.#keys.stop();
    this.#meeting.stop();
  }

  releasePorts(): Promise<void> {
    return this.#meeting.releasePorts();
  }

  #certificateOf({ id }: Identity): string {
    const certificate = this.#o.certificates.get(id);
    if (certificate === undefined) throw new RangeError(`no certificate for ${id}`);
    return certificate;
  }

  #newMeeting(): Meeting {
    const { host, port, allowed, hostCandidates, portMapping, journal, own, judgeMediator } = this.#o;
    const identity = this.#keys.current;
    this.#turn += 1;
    const turn = this.#turn;
    const ifCurrent = (act: () => void) => {
      if (turn === this.#turn) act();
    };
    return new Meeting({
      host,
      port,
      identity,
      succession: successionOf(identity, own.successions),
      patient: this.#everOnline,
      race: {
        credentials: { identity, certificate: this.#certificateOf(identity) },
        peer: this.#peer,
        runId: this.session.runId,
        journalId: () => this.session.journalId,
        allowed,
        hostCandidates,
        preferenceOf: (facts) => this.session.preferenceOf(facts),
      },
      portMapping,
      judgeMediator,
      memory: {
        load: () => journal.memory.recall('serverless'),
        save: (text) => journal.memory.remember('serverless', text),
      },
      activeLink: () => this.session.active?.link ?? null,
      onIntroduced: () => ifCurrent(() => this.session.prepare()),
      addLink: (link, generation) => {
        if (turn === this.#turn) this.session.add(link, generation);
        else link.destroy(new LinkClosedError('the keys have changed meanwhile'));
      },
      emit: (event) => ifCurrent(() => this.#pass(event)),
      onSucceeded: () => ifCurrent(() => this.#keys.succeeded()),
      onFatal: (error) =>
        ifCurrent(() => {
          if (!this.#keys.replaces(error)) this.#o.onFatal(error);
        }),
    });
  }

  #pass(event: SessionEvent): void {
    if (event.event === 'online') this.#keys.online();
    this.#o.emit(event);
  }

  /** Not at once: what led to it may be telling others as well. */
  #changeKeysLater(): void {
    this.#isChanging = true;
    setImmediate(() => {
      if (!this.#isLeaving) this.#changeKeys();
    });
  }

  /** One side's key is another now: everything that was opened with the keys before ends, and begins again. */
  #changeKeys(): void {
    this.#isChanging = false;
    const before = this.#meeting;
    this.#everOnline ||= before.everOnline;
    this.#impostorSeen ||= before.impostorSeen;
    before.stop();
    before.releasePorts().catch(() => {});
    this.session.changeKeys(roleOf(this.ownId, this.#peer.id), this.#peer.id);
    this.#meeting = this.#newMeeting();
    this.start();
  }

  #useLink(link: Link): void {
    // Opened with keys that are being given up: it says nothing of the new ones, and ends in a moment.
    if (this.#isChanging) return;
    const { current } = this.#keys;
    this.#meeting.found(link);
    const isNews = current !== this.#o.own.line[0] && !this.#knownAs.has(current.id);
    if (isNews) this.#nowKnownAs(current);
    this.#keys.connected();
    this.#tellSuccessions();
  }

  /** The link that was opened under this key is the peer's word that it knows it. */
  #nowKnownAs(identity: Identity): void {
    this.#knownAs.add(identity.id);
    try {
      this.#o.onKnownAs?.(identity);
      this.#o.emit({ event: 'succeeded', whose: 'me', id: identity.id });
    } catch (error) {
      // A full disk: the next run finds out again.
      if (!(error instanceof UserError)) throw error;
      this.#o.onNotice(error);
    }
  }

  /** Once the mediator admits the newest key, and the peer understands: before that it could only be lost by following. */
  #tellSuccessions(): void {
    const { active } = this.session;
    if (!active || this.#keys.isOver || !this.#isReady) return;
    if (!active.link.facts.hello.features.includes(SUCCESSION)) return;
    const { successions, line } = this.#o.own;
    const from = line.indexOf(this.#keys.current);
    this.session.tellSuccessions(
      successions
        .slice(from)
        .map(({ successor, statement }) => ({ id: successor.id, statement: statement.toString('hex') })),
    );
  }
}
