import net from 'node:net';

/** IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2) as the IPv4 addresses they are; zone ids dropped. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '').toLowerCase();
  return bare.startsWith('::ffff:') && net.isIPv4(bare.slice(7)) ? bare.slice(7) : bare;
}

export function formatEndpoint({ address, port }: { address: string; port: number }): string {
  return net.isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}
