import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatEndpoint } from '../../protocol/address.js';
import { HANDSHAKE_DEADLINE_MS, MAX_CANDIDATES } from '../../protocol/constants.js';
import { errorMessage, LinkClosedError, WrongPeerError } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import type { Link, LinkFacts } from '../../protocol/link.js';
import type { Candidate, Introduction, PathKind } from '../../protocol/messages.js';
import { openLink, roleOf } from '../../protocol/peer-handshake.js';
import type { TlsCredentials } from '../../protocol/tls.js';
import type { Role } from '../../protocol/transcripts.js';
import { withDeadline } from '../deadline.js';
import type { MediatorConnection } from '../mediator/connection.js';
import { isLoopback, isOnOwnNetwork } from './addresses.js';
import { BestFirst, NotNeededError } from './best-first.js';
import { guessBehindMediator, vetCandidates } from './candidates.js';
import type { OpenedStream, Path, PathFactory } from './path.js';
import { MappedCandidates } from './port-mapping/mapped-candidates.js';
import type { MapPort } from './port-mapping/port-mapper.js';
import { exchangePrefaces } from './prefaces.js';
import { dialRelay } from './relay.js';
import { WaitingRoom } from './waiting-room.js';

/** What holds for every race of two peers, whoever introduces them. */
export interface RaceTerms {
  credentials: TlsCredentials;
  peer: PublicIdentity;
  runId: string;
  journalId(): string;
  allowed: readonly PathKind[];
  /** False: the peer is not told the addresses of this machine's interfaces. */
  hostCandidates: boolean;
  /** Which of two links the session would rather have: lower is better. */
  preferenceOf(facts: Pick<LinkFacts, 'path' | 'sameNetwork'>): number;
  /** No link is to carry the session, whatever its path: they are opened to see that they open. */
  examining?: true;
}

export interface RaceOptions extends Omit<RaceTerms, 'journalId'> {
  introduction: Introduction;
  mediator: Pick<MediatorConnection, 'local' | 'remote' | 'addresses'>;
  journalId: string;
  /** What is tried besides the relay, which always opens: it signals even when it may not carry the session. */
  factories: Partial<Record<PathKind, PathFactory>>;
  /** Null: the gateway is not asked for anything. */
  mapPort: MapPort | null;
  /** A link has authenticated; it must be attached before this returns. */
  onLink(link: Link): void;
  /** Somebody with another key answered in the peer's place. */
  onImpostor(path: PathKind, remote: string): void;
  onAttempt(attempt: Attempt): void;
}

export interface Attempt {
  path: PathKind;
  remote: string;
  outcome: string;
}

/** Nobody's firewall opens later than this. */
const ATTEMPTS_MS = 12_000;
const LONGEST_START_MS = 2_000;
/** Whatever the peer tells, or does not tell: nothing listens for longer. */
const LONGEST_MS = 60_000;

/**
 * Everything that one introduction leads to. The relay opens at once and carries the candidates both ways, each path's
 * as soon as it has them; what the peer tells is tried on every path at the same time, and each stream that opens gets
 * the prefaces and the second handshake. Which link carries the session is not decided here.
 */
export class Race {
  readonly #o: RaceOptions;
  readonly #stopping = new AbortController();
  readonly #direct = new AbortController();
  readonly #paths: { kind: PathKind; path: Path }[];
  readonly #loopbackAllowed: boolean;
  readonly #links: Link[] = [];
  readonly #startAt: number;
  readonly #role: Role;
  readonly #own: Candidate[] = [];
  readonly #strangers = new WaitingRoom();
  readonly #bestFirst = new BestFirst();
  readonly #mapped: MappedCandidates | null;
  #theirs: Candidate[] = [];
  #attempts = 0;

  constructor(options: RaceOptions) {
    this.#o = options;
    // Every attempt and handshake listens to it: Node's warning at eleven is about leaks, of which this is none.
    setMaxListeners(0, this.#stopping.signal);
    this.#role = roleOf(options.credentials.identity.id, options.peer.id);
    this.#loopbackAllowed = isLoopback(options.mediator.remote.address);
    this.#startAt = performance.now() + Math.min(options.introduction.startInMs, LONGEST_START_MS);
    this.#mapped = this.#prepareMapping();
    this.#paths = options.allowed.flatMap((path) => this.#prepare(path));
  }

  get introductionId(): string {
    return this.#o.introduction.introductionId;
  }

  start(): void {
    sleep(LONGEST_MS, undefined, { signal: this.#stopping.signal }).then(
      () => this.stop(),
      () => {},
    );
    this.#openRelay();
    for (const { kind, path } of this.#paths) this.#gather(kind, path);
  }

  /** Ends every attempt and handshake under way; links already handed over live on. */
  stop(): void {
    this.#stopping.abort(new Error('the race is over'));
    for (const { path } of this.#paths) path.stop();
    this.#mapped?.stop();
  }

  /** The session uses this link now. */
  chosen(link: Link): void {
    if (this.#links.includes(link)) this.#bestFirst.chosen(this.#o.preferenceOf(link.facts), () => !link.closed);
  }

  /** What each side has told the other so far; the peer's as far as it may be tried. */
  get candidates(): { own: readonly Candidate[]; theirs: readonly Candidate[] } {
    return { own: this.#own, theirs: this.#theirs };
  }

  /** Candidates of the peer, as told inside a link of this introduction: all, or some more. */
  peerCandidates(told: readonly Candidate[]): void {
    if (this.#stopping.signal.aborted) return;
    const before = this.#theirs.length;
    const guessed = guessBehindMediator(told, this.#o.mediator.remote.address);
    this.#theirs = vetCandidates([...this.#theirs, ...told, ...guessed], this.#loopbackAllowed);
    const fresh = this.#theirs.slice(before);
    if (fresh.length === 0) return;
    this.#attempts += 1;
    this.#attempt(fresh).finally(() => {
      this.#attempts -= 1;
      if (this.#attempts === 0) this.stop();
    });
  }

  #prepare(kind: PathKind): { kind: PathKind; path: Path }[] {
    const { factories, introduction, mediator } = this.#o;
    const path = factories[kind]?.({
      introduction,
      role: this.#role,
      local: mediator.local,
      mediatorAddresses: mediator.addresses,
      loopbackAllowed: this.#loopbackAllowed,
      direct: this.#direct.signal,
      tell: (candidates) => this.#found(candidates),
      opened: (opening, opened) => this.#opened(opening, opened),
      failed: (failing, remote, outcome) =>
        this.#o.onAttempt({ path: failing, remote: formatEndpoint(remote), outcome }),
    });
    return path ? [{ kind, path }] : [];
  }

  #prepareMapping(): MappedCandidates | null {
    const { mapPort, introduction } = this.#o;
    // With a mediator on loopback the peer is on this machine.
    if (!mapPort || this.#loopbackAllowed) return null;
    const { address: reflexive } = introduction.reflexive;
    return new MappedCandidates({ mapPort, reflexive, tell: (candidate) => this.#found([candidate]) });
  }

  async #openRelay(): Promise<void> {
    const { remote } = this.#o.mediator;
    try {
      const stream = await dialRelay(remote, this.#stopping.signal);
      this.#opened('relay', { stream, remote, dialled: true });
    } catch (error) {
      this.#report('relay', formatEndpoint(remote), error);
    }
  }

  async #gather(kind: PathKind, path: Path): Promise<void> {
    try {
      this.#found(await path.gather());
    } catch (error) {
      this.#report(kind, 'here', error);
    }
  }

  #found(candidates: Candidate[]): void {
    if (this.#stopping.signal.aborted) return;
    const mayTell = candidates.filter(({ type }) => type !== 'host' || this.#o.hostCandidates);
    const more = mayTell.slice(0, MAX_CANDIDATES - this.#own.length);
    this.#own.push(...more);
    for (const link of this.#links) this.#tell(link, more);
    this.#mapped?.map(candidates);
  }

  #tell(link: Link, candidates: Candidate[]): void {
    if (candidates.length > 0) link.send({ kind: 'candidates', introductionId: this.introductionId, candidates });
  }

  async #attempt(candidates: Candidate[]): Promise<void> {
    const { signal } = this.#stopping;
    const wait = Math.max(0, this.#startAt - performance.now());
    await sleep(wait, undefined, { signal }).catch(() => {});
    await withDeadline(ATTEMPTS_MS, signal, (deadline) =>
      Promise.all(this.#paths.map(({ path }) => path.attempt(candidates, deadline))),
    );
    // The other side may reach us a little after we have given up on reaching it.
    await sleep(ATTEMPTS_MS, undefined, { signal }).catch(() => {});
  }

  #opened(path: PathKind, opened: OpenedStream): void {
    if (this.#stopping.signal.aborted) {
      opened.stream.destroy();
      return;
    }
    if (!opened.dialled) this.#strangers.enter(opened);
    this.#shakeHands(path, opened);
  }

  async #shakeHands(path: PathKind, opened: OpenedStream): Promise<void> {
    const remote = formatEndpoint(opened.remote);
    // An error before anyone listens for one must not end the program.
    opened.stream.on('error', () => {});
    try {
      const link = await withDeadline(HANDSHAKE_DEADLINE_MS, this.#stopping.signal, async (signal) => {
        await exchangePrefaces(opened, [this.#o.introduction.token], this.#role, signal);
        this.#strangers.leave(opened);
        return this.#openLink(path, opened, signal);
      });
      this.#o.onAttempt({ path: link.facts.path, remote, outcome: this.#outcomeOf(link) });
      this.#links.push(link);
      if (path !== 'relay') this.#mapped?.keepFor(path === 'udp-punch' ? 'udp' : 'tcp', opened.stream);
      this.#o.onLink(link);
      this.#tell(link, this.#own);
      if (path !== 'relay') this.#direct.abort();
    } catch (error) {
      opened.stream.destroy();
      if (error instanceof WrongPeerError) this.#o.onImpostor(path, remote);
      this.#report(path, remote, this.#isGivenUp(path, opened, error) ? new NotNeededError() : error);
    }
  }

  #openLink(path: PathKind, opened: OpenedStream, signal: AbortSignal): Promise<Link> {
    const options = this.#handshakeOptions(path, opened);
    const handshake = () => openLink(opened.stream, options, signal);
    // The relay carries the candidates, and a server waits for the client's first words anyway.
    if (path === 'relay' || this.#role === 'server') return handshake();
    return this.#bestFirst.run(this.#o.preferenceOf(options), signal, handshake);
  }

  /** The client had no need of it: to the server it looks as if it were closed in the middle of the handshake. */
  #isGivenUp(path: PathKind, opened: OpenedStream, error: unknown): boolean {
    if (this.#role === 'client' || !(error instanceof LinkClosedError)) return false;
    const { preferenceOf } = this.#o;
    const preference = preferenceOf(this.#handshakeOptions(path, opened));
    return this.#links.some(({ facts }) => preferenceOf(facts) <= preference);
  }

  #outcomeOf({ facts }: Link): string {
    if (!facts.signallingOnly || this.#o.examining) return 'connected';
    const why =
      this.#o.introduction.relayQuota > 0 ? 'the mediator carries no more for you two' : 'as one of you wishes';
    return `connected, but only to find another path: ${why}`;
  }

  #handshakeOptions(path: PathKind, { remote, dialled }: OpenedStream) {
    const { credentials, peer, runId, journalId, introduction, allowed, examining = false } = this.#o;
    const relayForbidden = introduction.relayQuota > 0 || !allowed.includes('relay');
    return {
      credentials,
      peer,
      runId,
      journalId,
      path,
      dialled,
      remote: formatEndpoint(remote),
      sameNetwork: path !== 'relay' && isOnOwnNetwork(remote.address),
      signallingOnly: examining || (path === 'relay' && relayForbidden),
    };
  }

  #report(path: PathKind, remote: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#o.onAttempt({ path, remote, outcome: errorMessage(error) });
  }
}
