import { once } from 'node:events';
import type net from 'node:net';
import { isIPv6 } from 'node:net';
import { formatEndpoint } from '../../protocol/address.js';
import { errorMessage } from '../../protocol/errors.js';
import { hostAddresses, isPrivate } from '../paths/addresses.js';
import type { MappedPort } from '../paths/port-mapping/mapped-port.js';
import type { MapPort } from '../paths/port-mapping/port-mapper.js';
import { listen } from '../paths/tcp-direct.js';
import { type Finding, lacking, ok, skipped } from './check.js';
import type { Reached } from './examine-mediator.js';

/** What this machine's own network offers. */

/** @param mediator its addresses, and those of them that answer */
export function examineIpv6(mediator: { addresses: readonly string[]; reached: readonly Reached[] }): Finding {
  const own = hostAddresses(false).filter((address) => isIPv6(address) && !isPrivate(address));
  const asked = mediator.addresses.some(isIPv6);
  const reached = mediator.reached.some(({ address }) => isIPv6(address));
  const facts = { addresses: own, mediatorByIpv6: asked ? reached : null };
  const [first] = own;
  if (first === undefined) {
    const hint = 'You can do without. With IPv6 on both sides there is one more way that needs no NAT to be pierced.';
    return lacking('this machine has no public IPv6 address', hint, facts);
  }
  if (asked && !reached) {
    const hint = 'You can do without. See that your router and firewall let IPv6 out.';
    return lacking(`this machine has ${first}, but reaches no mediator by IPv6`, hint, facts);
  }
  const rest = asked ? 'and reaches the mediator by IPv6' : 'but the mediator has none to try it with';
  return ok(`this machine has ${first}, ${rest}`, facts);
}

/** Asks the router for a port, and gives it back. @param seenAt this machine's public addresses, as far as known */
export async function examinePortMapping(
  mapPort: MapPort,
  seenAt: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const { external, by } = await mapAndRelease(mapPort, signal);
    const facts = { by, external: formatEndpoint(external) };
    if (!isPrivate(external.address)) return ok(`your router gives out ports, by ${by}: ${facts.external}`, facts);
    return lacking(
      `your router gives out ports, by ${by}, but is itself behind another (${facts.external}, seen at ${seenAt.join(', ')})`,
      'Only who is behind the same outer gateway can use it. Ask your provider for a public address, or for IPv6.',
      facts,
    );
  } catch (error) {
    signal.throwIfAborted();
    const hint =
      'If the router is yours, turn on UPnP, NAT-PMP or PCP in it, or forward a port. It is needed only where nothing else opens a direct path.';
    return lacking('no router here gives out ports', hint, { why: errorMessage(error) });
  }
}

/** Some routers look whether anybody listens. */
async function mapAndRelease(mapPort: MapPort, signal: AbortSignal): Promise<MappedPort> {
  const listener = await listen({ host: '0.0.0.0', port: 0 }, (socket) => socket.destroy());
  const { port: internalPort } = listener.address() as net.AddressInfo;
  try {
    const mapped = await mapPort({ transport: 'tcp', internalPort, signal });
    await mapped.release();
    return mapped;
  } finally {
    listener.close();
    await once(listener, 'close');
  }
}

export function whyNoPortMapping(o: {
  wanted: boolean;
  onLoopback: boolean;
  behindGateway: boolean;
}): Finding | undefined {
  if (!o.wanted) return skipped('no router is asked for ports, as you wish (--no-port-mapping)');
  if (o.onLoopback) return skipped('no router is asked for ports: the mediator is on this machine');
  if (!o.behindGateway) return skipped('no router is asked for ports: no gateway in between');
  return undefined;
}
