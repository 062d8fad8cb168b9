import { ProtocolError } from '../../protocol/errors.js';
import type { Role } from '../../protocol/transcripts.js';

/** What the choice needs to know of an authenticated link. */
export interface ChoosableLink {
  /** Lower is better. */
  preference: number;
  /** It may carry the session, and not only candidates. */
  usable: boolean;
  /** The peer's process: a new one means that the old one's links are dead, whatever they look like. */
  runId: string;
  /** Rising with each introduction. */
  generation: number;
}

export type LinkEffect<L> =
  | { effect: 'activate'; link: L; epoch: number }
  /** The session's link from now on. */
  | { effect: 'use'; link: L; epoch: number }
  | { effect: 'probe'; link: L }
  | { effect: 'end'; link: L; reason: 'moved' | 'duplicate' | 'replaced' }
  | { effect: 'lost' };

/**
 * Which of several authenticated links is the session's, as a pure state machine for each side. Only the TLS client
 * decides, by rising epochs; the server follows. So both keep the same link in every order of arrival.
 *
 *   client: a usable link better than the active one  -> activate, and hold until the server has confirmed
 *           a link no better, of the same introduction -> a duplicate, ended
 *           a link no better, of a newer introduction  -> the peer may have lost ours: probe it, keep the new one by
 *   server: activate with a higher epoch               -> use; a lower one is late news, ignored
 */
export class LinkChoice<L extends ChoosableLink> {
  readonly #role: Role;
  readonly #links = new Set<L>();
  #active: L | null = null;
  #pending: { link: L; epoch: number } | null = null;
  #epoch = 0;
  #runId = '';

  constructor(role: Role) {
    this.#role = role;
  }

  get active(): L | null {
    return this.#active;
  }

  added(link: L): LinkEffect<L>[] {
    const effects = link.runId === this.#runId ? [] : this.#newRun(link.runId);
    this.#links.add(link);
    const ended = effects.some((effect) => effect.effect === 'end' && effect.link.usable);
    return [...effects, ...this.#choose(), ...(ended ? this.#lostIfNoneIsLeft() : [])];
  }

  closed(link: L): LinkEffect<L>[] {
    if (!this.#links.delete(link)) return [];
    // If a link dies while it is being activated, the server may or may not have left the old one: activate anew.
    if (this.#active === link || this.#pending?.link === link) this.#active = null;
    if (this.#pending?.link === link) this.#pending = null;
    return [...this.#choose(), ...(link.usable ? this.#lostIfNoneIsLeft() : [])];
  }

  /** The client's Activate arrived on `link`. */
  activate(link: L, epoch: number): LinkEffect<L>[] {
    if (this.#role === 'client') throw new ProtocolError('activate from the TLS server');
    if (!link.usable) throw new ProtocolError('activate on a link for signalling alone');
    if (epoch <= this.#epoch || !this.#links.has(link)) return [];
    this.#epoch = epoch;
    this.#active = link;
    return [{ effect: 'use', link, epoch }];
  }

  /** The server's Activated arrived on `link`. */
  activated(link: L, epoch: number): LinkEffect<L>[] {
    if (this.#role === 'server') throw new ProtocolError('activated from the TLS client');
    if (this.#pending?.link !== link || this.#pending.epoch !== epoch) return [];
    this.#pending = null;
    this.#active = link;
    return [{ effect: 'use', link, epoch }, ...this.#endWorse(link, 'moved'), ...this.#choose()];
  }

  /** The active link has just shown that it is alive. */
  probed(link: L): LinkEffect<L>[] {
    return link === this.#active ? this.#endWorse(link, 'duplicate') : [];
  }

  #choose(): LinkEffect<L>[] {
    if (this.#role === 'server' || this.#pending) return [];
    const active = this.#active;
    const best = this.#usable()[0];
    if (best && (!active || best.preference < active.preference)) {
      this.#epoch += 1;
      this.#pending = { link: best, epoch: this.#epoch };
      return [{ effect: 'activate', link: best, epoch: this.#epoch }];
    }
    if (!active) return [];
    const others = this.#usable().filter((link) => link !== active);
    const newer = others.some((link) => link.generation > active.generation);
    const duplicates = others.filter((link) => link.generation <= active.generation);
    return [
      ...this.#end(duplicates, 'duplicate'),
      ...(newer ? [{ effect: 'probe', link: active } satisfies LinkEffect<L>] : []),
    ];
  }

  #lostIfNoneIsLeft(): LinkEffect<L>[] {
    return this.#usable().length === 0 ? [{ effect: 'lost' }] : [];
  }

  /** Best first; among equals the first to come. */
  #usable(): L[] {
    return [...this.#links].filter(({ usable }) => usable).sort((a, b) => a.preference - b.preference);
  }

  #endWorse(than: L, reason: 'moved' | 'duplicate'): LinkEffect<L>[] {
    return this.#end(
      [...this.#links].filter((link) => link !== than && link.preference >= than.preference),
      reason,
    );
  }

  #newRun(runId: string): LinkEffect<L>[] {
    this.#runId = runId;
    this.#active = null;
    this.#pending = null;
    // The server follows a new client's epochs from their beginning; a client's own go on rising.
    if (this.#role === 'server') this.#epoch = 0;
    return this.#end([...this.#links], 'replaced');
  }

  #end(links: L[], reason: 'moved' | 'duplicate' | 'replaced'): LinkEffect<L>[] {
    for (const link of links) this.#links.delete(link);
    return links.map((link) => ({ effect: 'end', link, reason }));
  }
}
