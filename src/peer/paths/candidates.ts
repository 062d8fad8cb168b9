import net from 'node:net';
import { MAX_CANDIDATES, MAX_SEEN_PORTS } from '../../protocol/constants.js';
import type { Candidate } from '../../protocol/messages.js';
import { isPrivate, isUsable } from './addresses.js';

const TYPES = new Set<string>(['host', 'reflexive', 'peer-reflexive', 'mapped'] satisfies Candidate['type'][]);
const TRANSPORTS = new Set<string>(['tcp', 'udp'] satisfies Candidate['transport'][]);

/**
 * The candidates of a peer that may be tried at all, at most MAX_CANDIDATES and none twice. Even an authenticated peer
 * must not make this program send packets wherever it likes.
 */
export function vetCandidates(told: readonly Candidate[], loopbackAllowed: boolean): Candidate[] {
  const seen = new Set<string>();
  return told
    .filter((candidate) => {
      const { type, transport, address, port, seenPorts } = candidate;
      const name = `${transport} ${address} ${port}`;
      if (seen.has(name) || !TYPES.has(type) || !TRANSPORTS.has(transport)) return false;
      if (![port, ...seenPorts].every(isPort) || seenPorts.length > MAX_SEEN_PORTS) return false;
      if (!isUsable(address, loopbackAllowed)) return false;
      seen.add(name);
      return true;
    })
    .slice(0, MAX_CANDIDATES);
}

/**
 * A peer in the mediator's own private network is seen there by an address that is worth nothing here. But the same
 * gateway is in front of both, we know its address as the mediator's, and many gateways leave ports as they are.
 */
export function guessBehindMediator(told: readonly Candidate[], mediator: string): Candidate[] {
  if (isPrivate(mediator)) return [];
  return told
    .filter(
      ({ type, address }) => type === 'reflexive' && net.isIP(address) === net.isIP(mediator) && isPrivate(address),
    )
    .map((candidate) => ({ ...candidate, type: 'peer-reflexive', address: mediator, seenPorts: [] }));
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65536;
}
