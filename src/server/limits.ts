import net from 'node:net';

/** Of connections that have not yet proved anything, at one time. Hundreds of honest peers may share one address. */
export const MAX_STRANGERS_PER_NETWORK = 512;
export const MAX_STRANGERS = 4096;

/** Counts the connections of those who have not yet said who they are, so that none of them can crowd out the others. */
export class StrangerLimits {
  readonly #perNetwork = new Map<string, number>();
  readonly #limits: { perNetwork: number; inAll: number };
  #inAll = 0;

  constructor(limits = { perNetwork: MAX_STRANGERS_PER_NETWORK, inAll: MAX_STRANGERS }) {
    this.#limits = limits;
  }

  /**
   * @param address in plain form
   * @returns the function that gives the place back (calling it twice does no harm), or null if there is none
   */
  enter(address: string): (() => void) | null {
    const network = networkOf(address);
    const here = this.#perNetwork.get(network) ?? 0;
    if (here >= this.#limits.perNetwork || this.#inAll >= this.#limits.inAll) return null;
    this.#perNetwork.set(network, here + 1);
    this.#inAll += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#leave(network);
    };
  }

  #leave(network: string): void {
    this.#inAll -= 1;
    const here = (this.#perNetwork.get(network) ?? 0) - 1;
    if (here > 0) this.#perNetwork.set(network, here);
    else this.#perNetwork.delete(network);
  }
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
