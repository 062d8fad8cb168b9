import net from 'node:net';
import type { Endpoint } from '../../../protocol/messages.js';
import { isUsable } from '../addresses.js';
import { classifyMapping } from './mapping.js';
import { observe } from './observe.js';
import type { IpFamily, UdpSocket } from './udx.js';

/** More sources tell whether the gateway counts, and from which range it chooses. */
const SAMPLING_SOCKETS = 8;
/** What a mediator can make us probe, whatever it says. */
const MAX_PROBES = 4;

export interface OutsideView {
  /** What was seen of the socket itself at each place; null where no answer came. */
  answers: (Endpoint | null)[];
  /** All that was seen, of the other sockets too. */
  seen: Endpoint[];
}

/**
 * Where a socket of this family asks how it looks from outside.
 * @param told by the mediator; an empty address is the mediator's own
 * @param mediatorAddresses first the one that we are connected to
 */
export function probePlaces(
  told: readonly Endpoint[],
  mediatorAddresses: readonly string[],
  family: IpFamily,
  loopbackAllowed: boolean,
): Endpoint[] {
  const mediator = mediatorAddresses.find((address) => net.isIP(address) === family) ?? '';
  return told
    .slice(0, MAX_PROBES)
    .map(({ address, port }) => ({ address: address || mediator, port }))
    .filter(({ address, port }) => net.isIP(address) === family && isUsable(address, loopbackAllowed) && isPort(port));
}

/**
 * From where the mediator sees this socket's packets come, in the order of asking. If each place sees another port, other
 * sockets ask too: their answers tell what the gateway will do next.
 * @param openSocket null if there are no more
 */
export async function seeFromOutside(
  socket: UdpSocket,
  places: readonly Endpoint[],
  key: Buffer,
  openSocket: () => Promise<UdpSocket | null>,
  signal: AbortSignal,
): Promise<OutsideView> {
  const ask = (from: UdpSocket) => observe(from, places, key, signal);
  const answers = await ask(socket);
  const first = answers.filter((seen) => seen !== null);
  const { kind } = classifyMapping(first.map(({ port }) => port));
  if (kind === 'unknown' || kind === 'fixed') return { answers, seen: first };

  const others: UdpSocket[] = [];
  while (others.length < SAMPLING_SOCKETS) {
    const other = await openSocket();
    if (!other) break;
    others.push(other);
  }
  const more = await Promise.all(others.map(ask));
  for (const other of others) other.release();
  return { answers, seen: [...first, ...more.flat().filter((seen) => seen !== null)] };
}

function isPort(port: number): boolean {
  return port > 0 && port < 65536;
}
