import type { DataChunk } from '../../protocol/data-frames.js';
import { LinkClosedError, LinkSilentError, ProtocolError, UserError } from '../../protocol/errors.js';
import type { Link, LinkFacts, LinkHandlers } from '../../protocol/link.js';
import type { Candidate, Held, PeerMessage } from '../../protocol/messages.js';
import { sanitiseLine } from '../../protocol/sanitise.js';
import { TokenBucket } from '../../protocol/token-bucket.js';
import type { Role } from '../../protocol/transcripts.js';
import { preferenceOf } from '../paths/preference.js';
import { type ChoosableLink, LinkChoice, type LinkEffect } from './link-choice.js';
import { PathTrust } from './path-trust.js';

/** The messages that only the session's own link may carry. */
export type ContentMessage = Exclude<
  PeerMessage,
  { kind: 'proof' | 'hello' | 'candidates' | 'activate' | 'activated' | 'ping' | 'pong' | 'end' }
>;

export interface SessionLinksHandlers {
  /** What this side holds now. */
  held(): Held;
  /** Takes in what the peer holds. False if this side had to begin a new journal, which the peer must be told of. */
  reconcile(peerHolds: Held): boolean;
  /** Nothing is sent until the next `onUse`: the session is about to move. */
  onHold(): void;
  /** This link carries the session now; everything that the peer lacks is to be sent from the beginning. */
  onUse(link: Link, why: string): void;
  /** The last link is gone. */
  onLost(reason: string): void;
  /** The peer's program ends: it said so, after all else that it had to say. */
  onLeft(): void;
  onContent(link: Link, message: ContentMessage): void;
  onData(link: Link, chunk: DataChunk): void;
  onDrain(link: Link): void;
  onCandidates(introductionId: string, candidates: Candidate[]): void;
  /** The session's link may be dead: another should be made ready. */
  onDoubt(): void;
  /** One of the above failed for a reason that the person can mend, such as a full disk; the link is ending. */
  onTrouble(error: UserError): void;
}

interface Entry extends ChoosableLink {
  link: Link;
  /** What the peer said of the link's end. */
  farewell: string;
  addedAtMs: number;
}

const FAREWELLS: Record<string, string> = { quit: 'the peer left', succession: 'a key has changed' };
const PROBE_MS = 3_000;
/** Many times what races open. Only the TLS client ends links that are not needed, and it may be the one who means ill. */
const MAX_LINKS = 64;
/** How long a link goes unheard before it ends over a disk that takes nothing: each try costs both sides handshakes. */
const REST_MS = 3_000;
/** Messages that make us write to the disk, or begin anew with every transfer: far more than honest peers need. */
const COSTLY_BURST = 100;
const COSTLY_PER_SECOND = 5;

/** The session's authenticated links: runs LinkChoice's decisions and lets only the chosen link be heard. */
export class SessionLinks {
  readonly #handlers: SessionLinksHandlers;
  readonly #choice: LinkChoice<Entry>;
  readonly #entries = new Map<Link, Entry>();
  #peerHolds: Held | null = null;
  #why = '';
  #everUsed = false;
  /** Why the session's link ended, while there is no other. */
  #reason = '';
  /** What the peer said when it went, over whichever link: those that were only just opening it cuts without a word. */
  #farewell = '';
  #peerRun = '';
  #trust = new PathTrust();
  /** Links that end in a moment, because what came over one of them could not be written down. */
  readonly #resting = new Map<Link, NodeJS.Timeout>();
  readonly #costly = new TokenBucket(COSTLY_BURST, COSTLY_PER_SECOND, performance.now());

  constructor(role: Role, handlers: SessionLinksHandlers) {
    this.#choice = new LinkChoice(role);
    this.#handlers = handlers;
  }

  get active(): Link | null {
    return this.#choice.active?.link ?? null;
  }

  /** Lower is better. Of a new link, now: paths whose links have died young are not trusted for a while. */
  preferenceOf(facts: Pick<LinkFacts, 'path' | 'sameNetwork'>): number {
    return preferenceOf(facts) + this.#trust.penalty(facts.path, performance.now());
  }

  add(link: Link, generation: number): void {
    const { facts } = link;
    if (facts.hello.runId !== this.#peerRun) {
      this.#peerRun = facts.hello.runId;
      // The links of a peer that was started anew died with it, and not of their path.
      this.#trust = new PathTrust();
      this.#farewell = '';
    }
    if (this.#entries.size >= MAX_LINKS) this.#dropOldest();
    const entry: Entry = {
      link,
      generation,
      preference: this.preferenceOf(facts),
      addedAtMs: performance.now(),
      usable: !facts.signallingOnly,
      runId: facts.hello.runId,
      farewell: '',
    };
    this.#entries.set(link, entry);
    this.#run(this.#choice.added(entry));
    link.attach(this.#linkHandlers(entry));
  }

  /** Ends every link in order. A process that exits before this resolves may take its last words with it. */
  async end(reason: string): Promise<void> {
    const links = [...this.#entries.keys()];
    // None of them takes the place of another that has just ended.
    this.#entries.clear();
    await Promise.all(links.map((link) => link.end(reason)));
  }

  #dropOldest(): void {
    const oldest = [...this.#entries.keys()].find((link) => link !== this.active);
    oldest?.destroy(new LinkClosedError('too many links at once'));
  }

  #linkHandlers(entry: Entry): LinkHandlers {
    return {
      onMessage: (link, message) => this.#orRefuse(link, () => this.#receive(entry, message)),
      onData: (link, chunk) => {
        if (link === this.active) this.#orRefuse(link, () => this.#handlers.onData(link, chunk));
      },
      onDrain: (link) => {
        if (link === this.active) this.#handlers.onDrain(link);
      },
      onDoubt: (link) => {
        if (link === this.active) this.#handlers.onDoubt();
      },
      onClose: (_, reason) => {
        if (reason instanceof LinkSilentError) this.#distrust(entry);
        this.#closed(entry, reason.message);
      },
    };
  }

  /**
   * A disk that takes nothing more must not lose what the peer said: without an acknowledgement it is said again over
   * the next link. Until then nothing is heard over this one, for what follows makes no sense without it.
   */
  #orRefuse(link: Link, take: () => void): void {
    if (this.#resting.has(link)) return;
    try {
      take();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#resting.set(
        link,
        setTimeout(() => link.destroy(error), REST_MS),
      );
      this.#handlers.onTrouble(error);
    }
  }

  #receive(entry: Entry, message: PeerMessage): void {
    if (message.kind === 'activate' || message.kind === 'remember') this.#countCostly();
    switch (message.kind) {
      case 'candidates':
        this.#handlers.onCandidates(message.introductionId, message.candidates);
        break;
      case 'activate':
        this.#peerHolds = message.held;
        this.#why = sanitiseLine(message.why);
        this.#run(this.#choice.activate(entry, message.epoch));
        break;
      case 'activated':
        this.#peerHolds = message.held;
        this.#run(this.#choice.activated(entry, message.epoch));
        break;
      case 'end':
        this.#hearEnd(entry, message.reason);
        break;
      case 'proof':
      case 'hello':
      case 'ping':
      case 'pong':
        throw new ProtocolError(`${message.kind} beyond the link`);
      default:
        // What still comes over a link that the session has left will come again over the new one.
        if (entry.link === this.active) this.#handlers.onContent(entry.link, message);
    }
  }

  #hearEnd(entry: Entry, reason: string): void {
    const farewell = FAREWELLS[reason];
    entry.farewell = farewell ?? sanitiseLine(reason);
    if (farewell && entry.runId === this.#peerRun) this.#farewell = farewell;
    const isLast = this.active === null || entry.link === this.active;
    if (reason === 'quit' && isLast) this.#handlers.onLeft();
  }

  #countCostly(): void {
    const now = performance.now();
    if (this.#costly.waitMs(now) > 0) throw new ProtocolError('too many messages of one kind');
    this.#costly.take(now);
  }

  #distrust({ link, addedAtMs }: Entry): void {
    const now = performance.now();
    this.#trust.lost(link.facts.path, now - addedAtMs, now);
  }

  #closed(entry: Entry, reason: string): void {
    clearTimeout(this.#resting.get(entry.link));
    this.#resting.delete(entry.link);
    if (!this.#entries.delete(entry.link)) return;
    if (!this.#reason || entry.link === this.active) this.#reason = entry.farewell || reason;
    this.#run(this.#choice.closed(entry));
  }

  #run(effects: LinkEffect<Entry>[]): void {
    for (const effect of effects) {
      switch (effect.effect) {
        case 'activate':
          // Also asked for where no message of this link is being received, and nobody else would take the error.
          this.#orRefuse(effect.link.link, () => this.#activate(effect.link, effect.epoch));
          break;
        case 'use':
          this.#use(effect.link, effect.epoch);
          break;
        case 'probe':
          this.#probe(effect.link);
          break;
        case 'end':
          this.#entries.delete(effect.link.link);
          effect.link.link.end(effect.reason);
          break;
        case 'lost':
          this.#handlers.onLost(this.#farewell || this.#reason || 'the peer has started again');
          this.#reason = '';
          break;
      }
    }
  }

  #activate(entry: Entry, epoch: number): void {
    this.#handlers.onHold();
    this.#why = this.#reasonFor(entry);
    const held = this.#handlers.held();
    entry.link.send({ kind: 'activate', epoch, path: entry.link.facts.path, why: this.#why, held });
    // The session waits for the answer, and must not wait long if the link is dead already.
    this.#probe(entry);
  }

  #use(entry: Entry, epoch: number): void {
    if (!this.#peerHolds) throw new ProtocolError('a link in use before the peer told what it holds');
    this.#everUsed = true;
    const { link } = entry;
    const before = this.#handlers.held();
    const sameJournal = this.#handlers.reconcile(this.#peerHolds);
    const held = asFound(before, this.#handlers.held());
    if (link.facts.role === 'server') link.send({ kind: 'activated', epoch, held });
    // The client has already told of its old journal: the next link begins with the new one.
    if (link.facts.role === 'client' && !sameJournal) link.end('gap');
    else this.#handlers.onUse(link, this.#why);
  }

  #probe(entry: Entry): void {
    entry.link.probe(PROBE_MS).then(
      () => this.#run(this.#choice.probed(entry)),
      () => {},
    );
  }

  #reasonFor(next: Entry): string {
    const current = this.#choice.active;
    if (!current) return this.#everUsed ? 'the path before it was lost' : 'first to authenticate';
    return `${next.link.facts.path} is better than ${current.link.facts.path}`;
  }
}

/** Reconciling passes over items that will not come again. The peer is to see that they were lost here. */
function asFound(before: Held, now: Held): Held {
  const { peerJournalId, peerSequence } = before;
  const isTold = peerJournalId === '' || peerJournalId === now.peerJournalId;
  return isTold ? { ...now, peerJournalId, peerSequence } : now;
}
