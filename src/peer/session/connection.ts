import { randomBytes } from 'node:crypto';
import type { Link, LinkFacts } from '../../protocol/link.js';
import type { Role } from '../../protocol/transcripts.js';
import type { SessionEvent } from './events.js';
import { SessionLinks, type SessionLinksHandlers } from './links.js';

export interface ConnectionOptions extends Omit<SessionLinksHandlers, 'onUse' | 'onLost'> {
  role: Role;
  peerId: string;
  emit(event: SessionEvent): void;
  /** This link carries the session now, and the face knows; everything that the peer lacks is to be sent over it. */
  onUse(link: Link): void;
  /** The last link is gone, and the face knows. */
  onLost(): void;
}

/** Whether the peer is there, over which link and why: tells the face, and goes on with new links when a key changes. */
export class Connection {
  readonly #o: ConnectionOptions;
  #runId = newRunId();
  #role: Role;
  #peerId: string;
  #links: SessionLinks;
  #isConnected = false;
  #why = '';
  #ended = false;

  constructor(options: ConnectionOptions) {
    this.#o = options;
    this.#role = options.role;
    this.#peerId = options.peerId;
    this.#links = this.#newLinks();
  }

  /** New for each process and each change of keys: a link from another run of the peer means that the old run is gone. */
  get runId(): string {
    return this.#runId;
  }

  /** Now: it may be the other one after a change of keys. */
  get role(): Role {
    return this.#role;
  }

  /** Told to the face. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** The link that the peer is heard over. */
  get link(): Link | null {
    return this.#links.active;
  }

  /** The link that carries the session, and why it does. */
  get active(): { link: Link; why: string } | null {
    const link = this.#isConnected ? this.link : null;
    return link && { link, why: this.#why };
  }

  preferenceOf(facts: Pick<LinkFacts, 'path' | 'sameNetwork'>): number {
    return this.#links.preferenceOf(facts);
  }

  /** @param generation rising with each introduction */
  add(link: Link, generation: number): void {
    this.#links.add(link, generation);
  }

  /** Ends the links of the old keys, and waits for one of the new. Not to be called from inside what a link tells. */
  changeKeys(role: Role, peerId: string): void {
    const links = this.#links;
    this.#runId = newRunId();
    this.#peerId = peerId;
    this.#role = role;
    this.#links = this.#newLinks();
    links.end('succession').catch(() => {});
    this.#o.onHold();
    this.#disconnected('a key has changed');
  }

  /** For good: that no link is left is no news any more. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#links.end('quit');
  }

  #newLinks(): SessionLinks {
    return new SessionLinks(this.#role, {
      ...this.#o,
      onUse: (link, why) => this.#use(link, why),
      onLost: (reason) => this.#lost(reason),
    });
  }

  #use(link: Link, why: string): void {
    this.#o.onHold();
    const { path, remote, group } = link.facts;
    this.#why = why;
    if (this.#isConnected) this.#o.emit({ event: 'path', path, remote, why });
    else {
      this.#isConnected = true;
      this.#o.emit({ event: 'connected', peer: this.#peerId, path, remote, rttMs: roundTenth(link.rttMs), group });
    }
    this.#o.onUse(link);
  }

  #lost(reason: string): void {
    if (this.#ended) return;
    this.#o.onHold();
    this.#disconnected(reason);
    this.#o.onLost();
  }

  #disconnected(reason: string): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#o.emit({ event: 'disconnected', reason });
  }
}

function newRunId(): string {
  return randomBytes(16).toString('hex');
}

function roundTenth(ms: number): number {
  return Math.round(ms * 10) / 10;
}
