import { randomBytes } from 'node:crypto';
import type { Endpoint } from '../../../protocol/messages.js';
import { decodeProbeReply, encodeProbe, PROBE_NONCE_BYTES } from '../../../protocol/probe.js';
import type { PacketSocket } from './checks.js';

/** When a probe is sent again, if no reply has come. */
const SEND_AT_MS = [0, 100, 250, 500, 750];
const GIVE_UP_AT_MS = 1_000;
/** After the second answer, which is what is needed, the others get this long. */
const OTHERS_MS = 150;

interface Target {
  to: Endpoint;
  nonce: Buffer;
  cookie: Buffer | null;
  seen: Endpoint | null;
}

/**
 * Asks the mediator, from one socket, how its packets look from outside, at each of these places in their order. An
 * answer counts only when it is the second one, to a probe with the first one's cookie.
 * @returns what was seen at each place; null where no answer came within a second
 */
export function observe(
  socket: PacketSocket,
  places: readonly Endpoint[],
  key: Buffer,
  signal: AbortSignal,
): Promise<(Endpoint | null)[]> {
  const targets: Target[] = places.map((to) => ({
    to,
    nonce: randomBytes(PROBE_NONCE_BYTES),
    cookie: null,
    seen: null,
  }));
  const timers: NodeJS.Timeout[] = [];
  const send = ({ to, nonce, cookie }: Target) => socket.send(encodeProbe(key, { nonce, cookie }), to);
  const sendToTheSilent = () => {
    for (const target of targets) if (!target.seen) send(target);
  };

  return new Promise((resolve) => {
    const finish = () => {
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      socket.onPacket = null;
      resolve(targets.map(({ seen }) => seen));
    };
    socket.onPacket = (packet) => {
      const reply = decodeProbeReply(key, packet);
      const target = reply && targets.find(({ nonce, seen }) => !seen && nonce.equals(reply.nonce));
      if (!reply || !target) return;
      target.cookie = reply.cookie;
      if (!reply.confirmed) return send(target);
      target.seen = reply.seen;
      const answers = targets.filter(({ seen }) => seen).length;
      if (answers === targets.length) finish();
      else if (answers === 2) timers.push(setTimeout(finish, OTHERS_MS));
    };
    if (signal.aborted || targets.length === 0) return finish();
    signal.addEventListener('abort', finish, { once: true });
    timers.push(setTimeout(finish, GIVE_UP_AT_MS));
    for (const ms of SEND_AT_MS.slice(1)) timers.push(setTimeout(sendToTheSilent, ms));
    sendToTheSilent();
  });
}
