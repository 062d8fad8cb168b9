import net from 'node:net';

/** IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2) as the IPv4 addresses they are; zone ids dropped. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '').toLowerCase();
  return bare.startsWith('::ffff:') && net.isIPv4(bare.slice(7)) ? bare.slice(7) : bare;
}

export function formatEndpoint({ address, port }: { address: string; port: number }): string {
  return versionOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Of what is an address. Where it may be none, net.isIP tells, whose expression for IPv6 takes 3 ms to make. */
export function versionOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
