import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../protocol/messages.js';
import { observe } from '../paths/udp/observe.js';
import { openUdpSocket, type UdpSocket } from '../paths/udp/udx.js';
import { type Finding, lacking, ok, skipped } from './check.js';
import type { UdpView } from './examine-udp.js';

const NOTE_BYTES = 16;
const SEND_AT_MS = [0, 100, 200, 200];
const LISTEN_MS = 300;

/**
 * Does the gateway lead packets to its own public address back inside (RFC 4787, section 6)? Two sockets send to where
 * each other is seen: both, for most gateways let in only whom one has sent to.
 */
export async function examineHairpin(
  views: readonly UdpView[],
  behindGateway: boolean,
  probeKey: Buffer,
  signal: AbortSignal,
): Promise<{ finding: Finding; hairpin: boolean | null }> {
  const unknown = (why: string) => ({ finding: skipped(why), hairpin: null });
  const view = views.find(({ family }) => family === 4);
  if (!behindGateway) return unknown('hairpin does not matter: no gateway in between');
  if (view?.mapping.kind !== 'fixed') {
    return unknown('whether your gateway leads packets back inside cannot be told without a fixed port');
  }
  const other = await openUdpSocket(4);
  if (!other) return unknown('no second UDP socket can be opened here');
  try {
    const [at] = view.seen;
    const [otherAt] = (await observe(other, view.places, probeKey, signal)).filter((seen) => seen !== null);
    if (!at || !otherAt) return unknown('the mediator did not answer a second socket');
    const hairpin = await heardFromEachOther({ socket: view.socket, at }, { socket: other, at: otherAt }, signal);
    signal.throwIfAborted();
    if (hairpin) return { finding: ok('your gateway leads packets back inside (hairpin)', { hairpin }), hairpin };
    const finding = lacking(
      'your gateway leads no packets back inside (no hairpin)',
      'It matters only for someone behind the same gateway and not in your network. Then there is the relay.',
      { hairpin },
    );
    return { finding, hairpin };
  } finally {
    other.release();
  }
}

interface Mapped {
  socket: UdpSocket;
  at: Endpoint;
}

async function heardFromEachOther(one: Mapped, other: Mapped, signal: AbortSignal): Promise<boolean> {
  const note = randomBytes(NOTE_BYTES);
  const heard = new AbortController();
  const listen = (packet: Buffer) => {
    if (packet.equals(note)) heard.abort();
  };
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: AbortSignal.any([signal, heard.signal]) }).catch(() => {});
  one.socket.onPacket = listen;
  other.socket.onPacket = listen;
  for (const ms of SEND_AT_MS) {
    await pause(ms);
    if (heard.signal.aborted || signal.aborted) break;
    one.socket.send(note, other.at);
    other.socket.send(note, one.at);
  }
  await pause(LISTEN_MS);
  one.socket.onPacket = null;
  other.socket.onPacket = null;
  return heard.signal.aborted;
}
