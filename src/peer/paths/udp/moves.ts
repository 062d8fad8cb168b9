import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../../protocol/messages.js';
import type { Checks, PacketSocket } from './checks.js';
import type { Move } from './plan.js';
import { shuffledPorts } from './ports.js';

export interface Field<Socket extends PacketSocket> {
  checks: Checks<Socket>;
  /** The socket whose mapping the peer was told last. */
  socket(): Socket;
  /** What the peer told, of this socket's address family. */
  targets(): readonly Endpoint[];
  /** The peer's gateway, for ports that nobody told; null if none is known. */
  gateway(): Endpoint | null;
  /** Another socket, on which checks listen already. Null if there are no more. */
  openSocket(): Promise<Socket | null>;
}

/**
 * The first packets die on their way, a few hops beyond one's own gateway: it shall know the flow before the peer's
 * packets reach it. Some gateways remember those that come too early, and then give one's own packets another port.
 */
const OPENERS = [
  { ttl: 2, waitMs: 80 },
  { ttl: 4, waitMs: 0 },
  { ttl: 5, waitMs: 80 },
];
const FULL_WAITS_MS = [50, 50, 100, 100, 150, 200];
const PLAIN_MS = 5_000;
/** A peer that was heard from gets this long to settle before more ports are tried. */
const HEARD_PAUSE_MS = 500;
/** The birthday's numbers: about 250 packets to random ports find one of 256 among all, half of the time in 170. */
const HARD_SOCKETS = 256;
const CROSS_SOCKETS = 32;
const SPRAY_PACKETS = 4_000;
const SPRAY_EVERY_MS = 10;
const SPRAY_PER_SECOND = 500;
/** When no packet of the easy side has come, perhaps ours get through to it. */
const HARD_FULL_AFTER_MS = 3_000;

/**
 * Plays a move to its end. Never rejects.
 * @param slowness how many times longer than usual the first packets wait for each other
 */
export async function play<Socket extends PacketSocket>(
  move: Move,
  field: Field<Socket>,
  signal: AbortSignal,
  slowness = 1,
): Promise<void> {
  const { checks } = field;
  const socket = field.socket();
  const gateway = field.gateway();
  switch (move.kind) {
    case 'plain':
      return await pingEach(checks, socket, field.targets(), signal, slowness);
    case 'predict':
    case 'walk':
      return await pingEach(checks, socket, at(gateway, move.ports), signal, slowness);
    case 'spray':
      return await spray(checks, aimFrom([socket], gateway, move), signal);
    case 'many':
      return await lieInWait(checks, await openMany(field, HARD_SOCKETS, signal), gateway, signal);
    case 'cross':
      return await spray(checks, aimFrom(await openMany(field, CROSS_SOCKETS, signal), gateway, move), signal);
  }
}

/** In rounds: each of these addresses once, in their order, and again. */
export async function pingEach<Socket extends PacketSocket>(
  checks: Checks<Socket>,
  socket: Socket,
  targets: readonly Endpoint[],
  signal: AbortSignal,
  slowness = 1,
): Promise<void> {
  const endAt = performance.now() + PLAIN_MS;
  const round = (ttl: number) => {
    if (signal.aborted) return;
    for (const target of targets) checks.ping(socket, target, ttl);
  };
  for (const { ttl, waitMs } of OPENERS) {
    round(ttl);
    await pause(waitMs * slowness, signal);
  }
  for (let rounds = 0; !signal.aborted && performance.now() < endAt; rounds++) {
    round(0);
    await pause(FULL_WAITS_MS[rounds] ?? 250, signal);
  }
}

/** Each socket aims at every port once; the sockets take turns. */
function* aimFrom<Socket>(
  sockets: readonly Socket[],
  gateway: Endpoint | null,
  { pool }: Extract<Move, { kind: 'spray' | 'cross' }>,
): Generator<{ socket: Socket; to: Endpoint }> {
  if (!gateway) return;
  const aims = sockets.map((socket) => ({ socket, ports: shuffledPorts(pool, randomInt) }));
  for (let open = aims.length > 0; open; ) {
    for (const { socket, ports } of aims) {
      const { value: port, done } = ports.next();
      if (done) open = false;
      else yield { socket, to: { address: gateway.address, port } };
    }
  }
}

/** An even stream of packets, however late the timers are. */
async function spray<Socket extends PacketSocket>(
  checks: Checks<Socket>,
  aims: Iterator<{ socket: Socket; to: Endpoint }>,
  signal: AbortSignal,
): Promise<void> {
  let lastAt = performance.now();
  let due = 0;
  for (let sent = 0; sent < SPRAY_PACKETS && !signal.aborted; ) {
    await pause(SPRAY_EVERY_MS, signal);
    const now = performance.now();
    due = Math.min(due + ((now - lastAt) * SPRAY_PER_SECOND) / 1000, SPRAY_PER_SECOND / 10);
    lastAt = now;
    if (checks.silentMs < HEARD_PAUSE_MS) continue;
    for (; due >= 1 && !signal.aborted; due--) {
      const { value: aim, done } = aims.next();
      if (done) return;
      checks.ping(aim.socket, aim.to);
      sent += 1;
    }
  }
}

/**
 * Many sockets, each with a mapping of its own in our gateway, towards the peer. Their packets do not arrive: those that
 * would come before the peer's own might spoil the very port that it is about to find.
 */
async function lieInWait<Socket extends PacketSocket>(
  checks: Checks<Socket>,
  sockets: readonly Socket[],
  gateway: Endpoint | null,
  signal: AbortSignal,
): Promise<void> {
  const round = (ttl: number) => {
    for (const socket of sockets) {
      if (gateway && !signal.aborted && checks.silentMs > HEARD_PAUSE_MS) checks.ping(socket, gateway, ttl);
    }
  };
  for (const { ttl, waitMs } of OPENERS) {
    round(ttl);
    await pause(waitMs, signal);
  }
  await pause(HARD_FULL_AFTER_MS, signal);
  round(0);
}

async function openMany<Socket extends PacketSocket>(
  { openSocket }: Field<Socket>,
  count: number,
  signal: AbortSignal,
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count && !signal.aborted) {
    const socket = await openSocket();
    if (!socket) break;
    sockets.push(socket);
  }
  return sockets;
}

function at(gateway: Endpoint | null, ports: readonly number[]): Endpoint[] {
  return gateway ? ports.map((port) => ({ address: gateway.address, port })) : [];
}

/** Ends early when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => {});
}
