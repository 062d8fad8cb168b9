import { formatEndpoint } from '../../protocol/address.js';
import type { Endpoint } from '../../protocol/messages.js';
import type { MediatorConnection } from '../mediator/connection.js';
import { isLoopback } from '../paths/addresses.js';
import { classifyMapping, type Mapping } from '../paths/udp/mapping.js';
import { probePlaces, seeFromOutside } from '../paths/udp/outside.js';
import { type IpFamily, openUdpSocket, type UdpSocket } from '../paths/udp/udx.js';
import type { Probes } from './ask-for-probes.js';
import { type Finding, lacking, ok, skipped } from './check.js';

/** How UDP packets of one address family look to the mediator. */
export interface UdpView {
  family: IpFamily;
  /** It has asked at each place; whoever has the view releases it. */
  socket: UdpSocket;
  places: Endpoint[];
  answers: (Endpoint | null)[];
  seen: Endpoint[];
  mapping: Mapping;
}

type Seen = Pick<MediatorConnection, 'local' | 'remote' | 'reflexive'>;

const WITHOUT_UDP = 'Two people meet without UDP too, by TCP or the relay';

/** A view for each family in which the mediator has an address and this machine can have a socket. */
export async function lookFromOutside(
  connection: MediatorConnection,
  { probes, probeKey }: Probes,
  signal: AbortSignal,
): Promise<UdpView[]> {
  const loopback = isLoopback(connection.remote.address);
  const look = async (family: IpFamily): Promise<UdpView[]> => {
    const places = probePlaces(probes, connection.addresses, family, loopback);
    const socket = places.length > 0 ? await openUdpSocket(family) : null;
    if (!socket) return [];
    const view = await seeFromOutside(socket, places, probeKey, () => openUdpSocket(family), signal);
    return [{ family, socket, places, ...view, mapping: classifyMapping(view.seen.map(({ port }) => port)) }];
  };
  const views = (await Promise.all(([4, 6] as const).map(look))).flat();
  // Most gateways are of IPv4; a family in which nothing comes through comes last.
  return views.sort((a, b) => Number(b.seen.length > 0) - Number(a.seen.length > 0));
}

export function examineUdp({ probes }: Probes, views: readonly UdpView[]): Finding {
  const [view] = views;
  if (probes.length === 0) {
    return lacking(
      'the mediator answers no UDP',
      `Whoever runs it may look at what p2p-server warned of when it started. ${WITHOUT_UDP}.`,
    );
  }
  if (!view) {
    const why = 'no UDP socket can be opened here, or the mediator has no address of a family that this machine has';
    return lacking(why, `${WITHOUT_UDP}.`);
  }
  const asked = views.flatMap(({ places, answers }) => places.map((place, at) => ({ place, seen: answers[at] })));
  const answered = asked.filter(({ seen }) => seen).map(({ place }) => formatEndpoint(place));
  const silent = asked.filter(({ seen }) => !seen).map(({ place }) => formatEndpoint(place));
  const facts = { answered, silent };
  if (view.answers.every((seen) => seen !== null)) return ok(`UDP comes through: ${answered.join(', ')}`, facts);
  const ports = [...new Set(view.places.map(({ port }) => port))];
  const hint = `Let UDP ports ${ports.join(' and ')} through: your firewall outwards, the mediator's inwards. ${WITHOUT_UDP}.`;
  if (answered.length === 0) return lacking('no UDP comes through to the mediator and back', hint, facts);
  return lacking(`UDP comes through in part: no answer from ${silent.join(', ')}`, hint, facts);
}

/** How the gateway chooses ports. */
export function examineMapping(views: readonly UdpView[]): Finding {
  const [view] = views;
  if (!view || view.mapping.kind === 'unknown') {
    return skipped('how your gateway chooses ports is not known: it takes UDP answers from two ports to tell');
  }
  const { mapping, seen } = view;
  const facts = {
    mapping: mapping.kind,
    family: `ipv${view.family}`,
    seenPorts: seen.map(({ port }) => port),
    ...(mapping.kind === 'sequential' && { step: mapping.step }),
    ...(mapping.kind === 'random' && { pool: [mapping.pool.lowest, mapping.pool.highest] }),
  };
  switch (mapping.kind) {
    case 'fixed':
      return ok('your port is the same for all destinations (fixed), which is easy to find', facts);
    case 'sequential':
      return ok(`your gateway counts ports up, by ${mapping.step} for each destination (sequential)`, facts, HARD);
    case 'random':
      return ok('your gateway takes a random port for each destination', facts, HARD);
  }
}

const HARD =
  'A direct path needs a better gateway on the other side, or yours to give out ports: see below. Else there is the relay.';

/** Where the internet sees this machine. */
export function examineAddress(connection: Seen, seen: readonly string[]): Finding {
  const { local, remote } = connection;
  const behindGateway = isBehindGateway(connection);
  const facts = { public: seen, local: local.address, behindGateway };
  const text = seen.join(', ');
  if (isLoopback(remote.address)) return ok(`the mediator is on this machine, and sees you at ${text}`, facts);
  if (!behindGateway) return ok(`you are seen at ${text}, your own address: no gateway in between`, facts);
  return ok(`you are seen at ${text}, behind a gateway (here you are ${local.address})`, facts);
}

/** This machine's addresses as the mediator sees them. */
export function addressesSeen({ reflexive }: MediatorConnection, views: readonly UdpView[]): string[] {
  return [...new Set([reflexive, ...views.flatMap(({ seen }) => seen)].map(({ address }) => address))];
}

export function isBehindGateway({ local, reflexive }: Pick<Seen, 'local' | 'reflexive'>): boolean {
  return local.address !== reflexive.address;
}
