import net from 'node:net';
import { networkOf } from './limits.js';

/** What may be said of peers in a log at `debug`: enough to follow one through it, not enough to tell who it is. */

/** Of the 64 digits of an id: the operator who holds the key can recognise it, others learn one in 65,536. */
const ID_DIGITS = 4;

export function coarseId(id: string): string {
  return id.slice(0, ID_DIGITS);
}

/** File names and the errors that quote them may hold ids, whole or short: what is left of each serves as a pattern. */
export function withoutIds(text: string): string {
  return text.replace(/[0-9a-f]{16,}/gi, (id) => `${coarseId(id)}*`);
}

/** A whole provider's customers rather than one: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export function coarseAddress(address: string): string {
  if (net.isIPv6(address)) return `${networkOf(address).split(':').slice(0, 3).join(':')}::/48`;
  return net.isIPv4(address) ? `${address.split('.').slice(0, 3).join('.')}.0/24` : 'somewhere';
}
