import net from 'node:net';

/** Of connections that have not yet proved anything, at one time. Hundreds of honest peers may share one address. */
const MAX_STRANGERS_PER_NETWORK = 512;
const MAX_STRANGERS = 4096;

export interface StrangerLimitsOptions {
  perNetwork: number;
  inAll: number;
}

/** The place of one who has not yet said who they are. */
export interface Stranger {
  network: string;
  /** It is we who keep it waiting: for that it must not lose its place. */
  keepWaiting(): void;
  /** It is our turn to wait again. */
  waitFor(): void;
  /** Gives the place back; twice does no harm. */
  leave(): void;
}

interface Crowd {
  count: number;
  /** Those whose next word we wait for, the longest first, and how to show them out. */
  idle: Map<Stranger, () => void>;
}

/**
 * Counts the connections of those who have not yet said who they are, so that none of them can crowd out the others.
 * Where there is no room for one more, the one that has kept us waiting longest goes: an honest peer needs its place for
 * a few round trips, whoever wants to keep others out needs it for good.
 */
export class StrangerLimits {
  readonly #options: StrangerLimitsOptions;
  readonly #perNetwork = new Map<string, Crowd>();
  readonly #all: Crowd = { count: 0, idle: new Map() };

  constructor(options: StrangerLimitsOptions = { perNetwork: MAX_STRANGERS_PER_NETWORK, inAll: MAX_STRANGERS }) {
    this.#options = options;
  }

  /**
   * @param address in plain form
   * @param showOut ends the connection, whose place was needed
   * @returns null if there is no place, for all others wait for us
   */
  enter(address: string, showOut: () => void): Stranger | null {
    const network = networkOf(address);
    const crowd = this.#perNetwork.get(network) ?? { count: 0, idle: new Map() };
    if (!makeRoom(crowd, this.#options.perNetwork) || !makeRoom(this.#all, this.#options.inAll)) return null;
    this.#perNetwork.set(network, crowd);
    const crowds = [crowd, this.#all];
    const stranger: Stranger = {
      network,
      keepWaiting: () => {
        for (const { idle } of crowds) idle.delete(stranger);
      },
      waitFor: () => {
        if (!hasLeft) for (const { idle } of crowds) idle.set(stranger, showOut);
      },
      leave: () => {
        if (hasLeft) return;
        hasLeft = true;
        stranger.keepWaiting();
        for (const each of crowds) each.count -= 1;
        if (crowd.count === 0) this.#perNetwork.delete(network);
      },
    };
    let hasLeft = false;
    for (const each of crowds) each.count += 1;
    stranger.waitFor();
    return stranger;
  }
}

function makeRoom({ count, idle }: Crowd, limit: number): boolean {
  if (count < limit) return true;
  for (const [stranger, showOut] of idle) {
    stranger.leave();
    showOut();
    return true;
  }
  return false;
}

/** What one stranger can be expected to have to himself: an IPv4 address, or an IPv6 /64 with all its 2^64 addresses. */
export function networkOf(address: string): string {
  if (!net.isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    groups.push(...Array<string>(8 - groups.length - after.length).fill('0'), ...after);
  }
  return groups.slice(0, 4).join(':');
}
