import { expect, test } from 'vitest';
import { SendBudget } from '../../../../src/peer/paths/send-budget.js';
import { Checks, type PacketSocket } from '../../../../src/peer/paths/udp/checks.js';
import { ALL_PORTS } from '../../../../src/peer/paths/udp/mapping.js';
import { type Field, play } from '../../../../src/peer/paths/udp/moves.js';
import type { Move } from '../../../../src/peer/paths/udp/plan.js';
import type { Endpoint } from '../../../../src/protocol/messages.js';
import { encodePunch, punchKey } from '../../../../src/protocol/punch.js';

const TOKEN = Buffer.alloc(32, 7);
const GATEWAY = { address: '192.0.2.1', port: 40000 };

interface Sent {
  to: Endpoint;
  ttl: number;
  atMs: number;
}

/** Sends nothing, and remembers what it was to send. */
class RecordingSocket implements PacketSocket {
  onPacket: ((packet: Buffer, from: Endpoint) => void) | null = null;
  readonly sent: Sent[];
  readonly #onSend: () => void;

  constructor(sent: Sent[], onSend: () => void) {
    this.sent = sent;
    this.#onSend = onSend;
  }

  send(_: Buffer, to: Endpoint, ttl = 0): void {
    this.sent.push({ to, ttl, atMs: performance.now() });
    this.#onSend();
  }
}

/** Plays a move until `enough` packets were sent, or it is over. */
async function playUntil(move: Move, enough: number, budget = new SendBudget(5_000, 8_000), atMostMs = 20_000) {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), atMostMs);
  const sent: Sent[] = [];
  const sockets: RecordingSocket[] = [];
  const checks = new Checks<RecordingSocket>({
    token: TOKEN,
    role: 'client',
    budget,
    isBest: () => false,
    onSelected: () => {},
  });
  const open = () => {
    const socket = new RecordingSocket(sent, () => {
      if (sent.length >= enough) over.abort();
    });
    sockets.push(socket);
    checks.add(socket);
    return socket;
  };
  const socket = open();
  const field: Field<RecordingSocket> = {
    checks,
    socket: () => socket,
    targets: () => [GATEWAY],
    gateway: () => GATEWAY,
    openSocket: async () => (sockets.length > 300 ? null : open()),
  };
  await play(move, field, over.signal);
  clearTimeout(timer);
  checks.stop();
  return { sent, sockets, socket };
}

test('plain: the first packets die on their way, those that follow do not', async () => {
  const { sent } = await playUntil({ kind: 'plain', atMs: 0 }, 8);
  expect(sent.map(({ ttl }) => ttl)).toEqual([2, 4, 5, 0, 0, 0, 0, 0]);
  expect(sent.every(({ to }) => to.port === GATEWAY.port)).toBe(true);
});

test('predict and walk: each port once a round, in order, and nowhere else', async () => {
  for (const kind of ['predict', 'walk'] as const) {
    const { sent } = await playUntil({ kind, atMs: 0, ports: [5, 3, 9] }, 6);
    expect(sent.map(({ to }) => to.port)).toEqual([5, 3, 9, 5, 3, 9]);
    expect(new Set(sent.map(({ to }) => to.address))).toEqual(new Set([GATEWAY.address]));
  }
});

test('spray: no port twice, one address, and no faster than 500 a second', async () => {
  const { sent } = await playUntil({ kind: 'spray', atMs: 0, pool: ALL_PORTS }, 300);
  expect(new Set(sent.map(({ to }) => to.port)).size).toBe(300);
  expect(new Set(sent.map(({ to }) => to.address))).toEqual(new Set([GATEWAY.address]));
  const tookMs = (sent.at(-1)?.atMs ?? 0) - (sent[0]?.atMs ?? 0);
  // Late timers are made up for, within bounds.
  expect(tookMs).toBeGreaterThan(((300 - 100) / 500) * 1000);
});

test('spray: stays within what one address may get', async () => {
  const all = await playUntil({ kind: 'spray', atMs: 0, pool: ALL_PORTS }, 60, new SendBudget(20, 1000), 700);
  expect(all.sent).toHaveLength(20);
});

test('many: 256 sockets, whose packets die on their way', async () => {
  const { sent, sockets } = await playUntil({ kind: 'many', atMs: 0 }, 3 * 256);
  expect(sockets).toHaveLength(1 + 256);
  expect(sent.every(({ ttl }) => ttl > 0 && ttl <= 5)).toBe(true);
  expect(sent.every(({ to }) => to.port === GATEWAY.port)).toBe(true);
});

test('cross: 32 sockets, each with its own order of ports', async () => {
  const { sent, sockets } = await playUntil({ kind: 'cross', atMs: 0, pool: { lowest: 2000, highest: 2999 } }, 200);
  expect(sockets).toHaveLength(1 + 32);
  expect(sent.every(({ to }) => to.port >= 2000 && to.port <= 2999)).toBe(true);
});

test('once the peer was heard, spraying pauses', async () => {
  const over = new AbortController();
  const sent: Sent[] = [];
  const checks = new Checks<RecordingSocket>({
    token: TOKEN,
    role: 'client',
    budget: new SendBudget(5_000, 8_000),
    isBest: () => false,
    onSelected: () => {},
  });
  let heardAtMs = 0;
  const socket: RecordingSocket = new RecordingSocket(sent, () => {
    if (sent.length === 20) {
      heardAtMs = performance.now();
      const ping = encodePunch(punchKey(TOKEN, 'server'), { kind: 'ping', nonce: Buffer.alloc(8, 1) });
      queueMicrotask(() => socket.onPacket?.(ping, { address: '192.0.2.1', port: 7 }));
    }
    if (heardAtMs > 0 && performance.now() - heardAtMs > 400) over.abort();
  });
  checks.add(socket);
  const field: Field<RecordingSocket> = {
    checks,
    socket: () => socket,
    targets: () => [],
    gateway: () => GATEWAY,
    openSocket: async () => null,
  };
  await play({ kind: 'spray', atMs: 0, pool: ALL_PORTS }, field, over.signal);
  checks.stop();
  const guesses = sent.filter(({ to, atMs }) => to.port !== 7 && atMs > heardAtMs + 20 && atMs < heardAtMs + 400);
  expect(guesses).toEqual([]);
});
