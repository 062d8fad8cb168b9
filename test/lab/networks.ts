import type { GatewaySpec, Wiring } from './net.js';

/**
 * What a person may sit behind. For each transport, what the outermost of its gateways does:
 *   open      lets in whoever finds the port
 *   fixed     shows one port to all, and lets in whoever was called from it
 *   counted   shows each whom it calls the next port
 *   random    shows each whom it calls another port
 *   blocked   lets nothing through (UDP), or nothing in that begins outside (TCP)
 */
export interface Network {
  /** From the inside outwards. */
  gateways: readonly GatewaySpec[];
  /** `open`: the peer's own ports are those of the internet. `cone`: the gateway's are. */
  tcp: 'open' | 'cone' | 'fixed' | 'random' | 'blocked';
  udp: 'open' | 'fixed' | 'counted' | 'random' | 'blocked';
}

/** By the names that the matrix prints. */
export const NETWORKS = {
  public: { gateways: [], tcp: 'open', udp: 'open' },
  'full cone': { gateways: ['full-cone'], tcp: 'cone', udp: 'open' },
  'address-restricted': { gateways: ['address-restricted'], tcp: 'fixed', udp: 'open' },
  'port-restricted': { gateways: ['port-restricted'], tcp: 'fixed', udp: 'fixed' },
  'remapping EIM': { gateways: ['remapping'], tcp: 'fixed', udp: 'fixed' },
  sequential: { gateways: ['sequential'], tcp: 'fixed', udp: 'counted' },
  random: { gateways: ['random'], tcp: 'random', udp: 'random' },
  'UDP blocked': { gateways: ['udp-blocked'], tcp: 'fixed', udp: 'blocked' },
  'TCP inbound blocked': { gateways: ['tcp-blocked'], tcp: 'blocked', udp: 'fixed' },
  'CGNAT + port-restricted': { gateways: ['port-restricted', 'port-restricted'], tcp: 'fixed', udp: 'fixed' },
} as const satisfies Record<string, Network>;

/** Best first. */
export const PATHS = ['tcp-direct', 'tcp-punch', 'udp-punch', 'relay'] as const;
export type LabPath = (typeof PATHS)[number];

/** Two networks, or two peers that share some of it, and the best path that can be had there. */
export interface PairOfNetworks {
  name: string;
  wiring: Wiring;
  best: LabPath;
  /** The mediator is reached by IPv6. */
  ipv6?: true;
}

/** Every pair of networks once, and the pairs that share something. */
export const PAIRS: readonly PairOfNetworks[] = [
  ...eachPairOf(Object.entries(NETWORKS)),
  { name: 'same LAN', wiring: { a: [], b: [], shared: ['port-restricted'] }, best: 'tcp-direct' },
  { name: 'same CGN, hairpinning', wiring: behindOne('hairpin'), best: 'udp-punch' },
  { name: 'same CGN', wiring: behindOne('port-restricted'), best: 'relay' },
  { name: 'IPv6 firewalls', wiring: { a: ['udp-blocked'], b: ['udp-blocked'] }, best: 'tcp-punch', ipv6: true },
];

/** As far as anybody knows how to pierce them. */
export function bestPath(a: Network, b: Network): LabPath {
  const [tcp, udp] = [
    [a.tcp, b.tcp],
    [a.udp, b.udp],
  ] as const;
  if (tcp.includes('open')) return 'tcp-direct';
  const tcpIsFixed = tcp.every((kind) => kind === 'fixed');
  // A call that begins on both sides at once needs one side that lets it in.
  const oneLetsIn = tcp.includes('blocked') && tcp.includes('fixed');
  if (tcp.includes('cone') || tcpIsFixed || oneLetsIn) return 'tcp-punch';
  if (udp.includes('blocked')) return 'relay';
  if (udp.includes('open') || udp.includes('fixed')) return 'udp-punch';
  return udp.every((kind) => kind === 'counted') ? 'udp-punch' : 'relay';
}

function eachPairOf(networks: [string, Network][]): PairOfNetworks[] {
  return networks.flatMap(([nameOfA, a], at) =>
    networks.slice(at).map(([nameOfB, b]) => ({
      name: `${nameOfA} x ${nameOfB}`,
      wiring: { a: a.gateways, b: b.gateways },
      best: bestPath(a, b),
    })),
  );
}

function behindOne(shared: GatewaySpec): Wiring {
  return { a: ['port-restricted'], b: ['port-restricted'], shared: [shared] };
}
