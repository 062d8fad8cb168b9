import net from 'node:net';
import os from 'node:os';
import { plainAddress, versionOf } from '../../protocol/address.js';

/** Where no packet of ours goes, whoever names it: multicast, broadcast, link-local, reserved, unspecified. */
const FORBIDDEN = blockList([
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
  ['::', 96],
  ['fe80::', 10],
  ['ff00::', 8],
]);

const LOOPBACK = blockList([
  ['127.0.0.0', 8],
  ['::1', 128],
]);

/** Of networks behind gateways: those of homes and offices, and of providers (RFC 6598). */
const PRIVATE = blockList([
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['fc00::', 7],
]);

/** It means something else elsewhere: nobody on the internet can be reached there. */
export function isPrivate(address: string): boolean {
  return PRIVATE.check(address, family(address));
}

export function isLoopback(address: string): boolean {
  return LOOPBACK.check(address, family(address));
}

/**
 * May packets be sent there at a peer's word? Loopback only when the mediator itself is on loopback. An address has one
 * text form here, so that none slips through in another: neither IPv4-mapped nor longer than need be.
 */
export function isUsable(address: string, loopbackAllowed: boolean): boolean {
  if (address !== canonical(address)) return false;
  if (isLoopback(address)) return loopbackAllowed;
  return !FORBIDDEN.check(address, family(address));
}

/** TCP and UDP tell the same ones, and what the mediator saw besides: all together must stay below MAX_CANDIDATES. */
const MAX_HOST_ADDRESSES = 5;

/** This machine's own addresses of the kinds that a peer may be told, as far as there is room for them. */
export function hostAddresses(loopbackAllowed: boolean): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return [...new Set(all.map(({ address }) => plainAddress(address)))]
    .filter((address) => isUsable(address, loopbackAllowed))
    .slice(0, MAX_HOST_ADDRESSES);
}

/** Is it still one of this machine's? */
export function isOwnAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (isLoopback(plain)) return true;
  return Object.values(os.networkInterfaces()).some((addresses) =>
    addresses?.some((own) => plainAddress(own.address) === plain),
  );
}

/** Is it on a network that one of this machine's interfaces is on, with no gateway in between? */
export function isOnOwnNetwork(address: string): boolean {
  if (isLoopback(address)) return true;
  return Object.values(os.networkInterfaces()).some((addresses) =>
    addresses?.some(({ cidr, internal }) => !internal && cidr !== null && contains(cidr, address)),
  );
}

/** Null if it is no address. */
function canonical(address: string): string | null {
  try {
    return plainAddress(new net.SocketAddress({ address, family: family(address) }).address);
  } catch {
    return null;
  }
}

function contains(cidr: string, address: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/');
  if (versionOf(network) !== versionOf(address)) return false;
  return blockList([[network, Number(prefix)]]).check(address, family(address));
}

function blockList(subnets: [string, number][]): net.BlockList {
  const list = new net.BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family(address));
  return list;
}

function family(address: string): 'ipv4' | 'ipv6' {
  return `ipv${versionOf(address)}`;
}
