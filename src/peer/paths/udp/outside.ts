import type { Endpoint } from '../../../protocol/messages.js';
import { classifyMapping } from './mapping.js';
import { observe } from './observe.js';
import type { UdpSocket } from './udx.js';

/** More sources tell whether the gateway counts, and from which range it chooses. */
const SAMPLING_SOCKETS = 8;

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
): Promise<Endpoint[]> {
  const ask = async (from: UdpSocket) => (await observe(from, places, key, signal)).filter((seen) => seen !== null);
  const first = await ask(socket);
  const { kind } = classifyMapping(first.map(({ port }) => port));
  if (kind === 'unknown' || kind === 'fixed') return first;

  const others: UdpSocket[] = [];
  while (others.length < SAMPLING_SOCKETS) {
    const other = await openSocket();
    if (!other) break;
    others.push(other);
  }
  const more = await Promise.all(others.map(ask));
  for (const other of others) other.release();
  return [...first, ...more.flat()];
}
