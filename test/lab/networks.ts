import type { GatewaySpec, Wiring } from './net.js';

/** What a person may sit behind, by the names that the matrix prints; gateways from the inside outwards. */
export const NETWORKS = {
  public: [],
  'full cone': ['full-cone'],
  'address-restricted': ['address-restricted'],
  'port-restricted': ['port-restricted'],
  'remapping EIM': ['remapping'],
  sequential: ['sequential'],
  random: ['random'],
  'UDP blocked': ['udp-blocked'],
  'TCP inbound blocked': ['tcp-blocked'],
  'CGNAT + port-restricted': ['port-restricted', 'port-restricted'],
} as const satisfies Record<string, readonly GatewaySpec[]>;
export type NetworkName = keyof typeof NETWORKS;

/** Pairs that share something. */
export const TOGETHER: Record<string, Wiring> = {
  'same LAN': { a: [], b: [], shared: ['port-restricted'] },
  'same CGN, hairpinning': { a: ['port-restricted'], b: ['port-restricted'], shared: ['hairpin'] },
  'same CGN': { a: ['port-restricted'], b: ['port-restricted'], shared: ['port-restricted'] },
};

/** Every pair of networks once. */
export function pairs(): [NetworkName, NetworkName][] {
  const names = Object.keys(NETWORKS) as NetworkName[];
  return names.flatMap((a, at) => names.slice(at).map((b): [NetworkName, NetworkName] => [a, b]));
}
