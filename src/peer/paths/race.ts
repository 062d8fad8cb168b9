import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatEndpoint } from '../../protocol/address.js';
import { MAX_CANDIDATES } from '../../protocol/constants.js';
import { errorMessage } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import type { Link, LinkFacts } from '../../protocol/link.js';
import type { Candidate, Introduction, PathKind } from '../../protocol/messages.js';
import { roleOf } from '../../protocol/peer-handshake.js';
import type { TlsCredentials } from '../../protocol/tls.js';
import type { Role } from '../../protocol/transcripts.js';
import { withDeadline } from '../deadline.js';
import type { MediatorConnection } from '../mediator/connection.js';
import { isLoopback } from './addresses.js';
import { guessBehindMediator, vetCandidates } from './candidates.js';
import { Handshakes } from './handshakes.js';
import type { OpenedStream, Path, PathFactory } from './path.js';
import { MappedCandidates } from './port-mapping/mapped-candidates.js';
import type { MapPort } from './port-mapping/port-mapper.js';
import { dialRelay } from './relay.js';

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
  readonly #carried = new AbortController();
  readonly #direct = new AbortController();
  readonly #paths: { kind: PathKind; path: Path }[];
  readonly #loopbackAllowed: boolean;
  readonly #startAt: number;
  readonly #role: Role;
  readonly #own: Candidate[] = [];
  readonly #handshakes: Handshakes;
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
    this.#handshakes = new Handshakes({
      race: options,
      role: this.#role,
      signal: this.#stopping.signal,
      onLink: (path, opened, link) => this.#linked(path, opened, link),
      onFailure: (path, remote, error) => this.#report(path, remote, error),
    });
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
    this.#handshakes.chosen(link);
    this.#carried.abort();
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
      carried: this.#carried.signal,
      direct: this.#direct.signal,
      tell: (candidates) => this.#found(candidates),
      opened: (opening, opened) => this.#handshakes.begin(opening, opened),
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
      this.#handshakes.begin('relay', { stream, remote, dialled: true });
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
    for (const link of this.#handshakes.links) this.#tell(link, more);
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

  /** The link tells the peer where else we may be reached. */
  #linked(path: PathKind, opened: OpenedStream, link: Link): void {
    if (path !== 'relay') this.#mapped?.keepFor(path === 'udp-punch' ? 'udp' : 'tcp', opened.stream);
    this.#o.onLink(link);
    this.#tell(link, this.#own);
    if (path !== 'relay') this.#direct.abort();
  }

  #report(path: PathKind, remote: string, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#o.onAttempt({ path, remote, outcome: errorMessage(error) });
  }
}
