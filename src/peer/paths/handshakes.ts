import { formatEndpoint } from '../../protocol/address.js';
import { HANDSHAKE_DEADLINE_MS } from '../../protocol/constants.js';
import { LinkClosedError, WrongPeerError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { PathKind } from '../../protocol/messages.js';
import { openLink } from '../../protocol/peer-handshake.js';
import type { Role } from '../../protocol/transcripts.js';
import { withDeadline } from '../deadline.js';
import { isOnOwnNetwork } from './addresses.js';
import { BestFirst, NotNeededError } from './best-first.js';
import type { OpenedStream } from './path.js';
import { exchangePrefaces } from './prefaces.js';
import type { RaceOptions } from './race.js';
import { WaitingRoom } from './waiting-room.js';

export interface HandshakesOptions {
  race: RaceOptions;
  role: Role;
  /** Ends those under way. */
  signal: AbortSignal;
  /** A link has authenticated; it must be attached before this returns. */
  onLink(path: PathKind, opened: OpenedStream, link: Link): void;
  onFailure(path: PathKind, remote: string, error: unknown): void;
}

/** The prefaces and the second handshake over every stream that opens for one introduction; one need not wait for another. */
export class Handshakes {
  readonly #o: HandshakesOptions;
  readonly #links: Link[] = [];
  readonly #strangers = new WaitingRoom();
  readonly #bestFirst = new BestFirst();

  constructor(options: HandshakesOptions) {
    this.#o = options;
  }

  /** All that have succeeded. */
  get links(): readonly Link[] {
    return this.#links;
  }

  /** The session uses this link now. */
  chosen(link: Link): void {
    if (!this.#links.includes(link)) return;
    this.#bestFirst.chosen(this.#o.race.preferenceOf(link.facts), () => !link.closed);
  }

  begin(path: PathKind, opened: OpenedStream): void {
    if (this.#o.signal.aborted) {
      opened.stream.destroy();
      return;
    }
    if (!opened.dialled) this.#strangers.enter(opened);
    this.#shakeHands(path, opened);
  }

  async #shakeHands(path: PathKind, opened: OpenedStream): Promise<void> {
    const { race, role } = this.#o;
    const remote = formatEndpoint(opened.remote);
    // An error before anyone listens for one must not end the program.
    opened.stream.on('error', () => {});
    try {
      const link = await withDeadline(HANDSHAKE_DEADLINE_MS, this.#o.signal, async (signal) => {
        await exchangePrefaces(opened, [race.introduction.token], role, signal);
        this.#strangers.leave(opened);
        return this.#openLink(path, opened, signal);
      });
      race.onAttempt({ path: link.facts.path, remote, outcome: this.#outcomeOf(link) });
      this.#links.push(link);
      this.#o.onLink(path, opened, link);
    } catch (error) {
      opened.stream.destroy();
      if (error instanceof WrongPeerError) race.onImpostor(path, remote);
      this.#o.onFailure(path, remote, this.#isGivenUp(path, opened, error) ? new NotNeededError() : error);
    }
  }

  #openLink(path: PathKind, opened: OpenedStream, signal: AbortSignal): Promise<Link> {
    const options = this.#optionsOf(path, opened);
    const handshake = () => openLink(opened.stream, options, signal);
    // The relay carries the candidates, and a server waits for the client's first words anyway.
    if (path === 'relay' || this.#o.role === 'server') return handshake();
    return this.#bestFirst.run(this.#o.race.preferenceOf(options), signal, handshake);
  }

  /** The client had no need of it: to the server it looks as if it were closed in the middle of the handshake. */
  #isGivenUp(path: PathKind, opened: OpenedStream, error: unknown): boolean {
    if (this.#o.role === 'client' || !(error instanceof LinkClosedError)) return false;
    const { preferenceOf } = this.#o.race;
    const preference = preferenceOf(this.#optionsOf(path, opened));
    return this.#links.some(({ facts }) => preferenceOf(facts) <= preference);
  }

  #outcomeOf({ facts }: Link): string {
    const { introduction, examining } = this.#o.race;
    if (!facts.signallingOnly || examining) return 'connected';
    const why = introduction.relayQuota > 0 ? 'the mediator carries no more for you two' : 'as one of you wishes';
    return `connected, but only to find another path: ${why}`;
  }

  #optionsOf(path: PathKind, { remote, dialled }: OpenedStream) {
    const { credentials, peer, runId, journalId, introduction, allowed, examining = false } = this.#o.race;
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
}
