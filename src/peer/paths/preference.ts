import type { LinkFacts } from '../../protocol/link.js';

/** Best first: LAN TCP, LAN UDP, direct TCP, punched TCP, punched UDP, relay. */
const ORDER = ['lan tcp-direct', 'lan tcp-punch', 'lan udp-punch', 'tcp-direct', 'tcp-punch', 'udp-punch', 'relay'];

/** Lower is better. */
export function preferenceOf({ path, sameNetwork }: Pick<LinkFacts, 'path' | 'sameNetwork'>): number {
  return ORDER.indexOf(sameNetwork && path !== 'relay' ? `lan ${path}` : path);
}
