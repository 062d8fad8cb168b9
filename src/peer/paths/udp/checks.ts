import { randomBytes } from 'node:crypto';
import { formatEndpoint } from '../../../protocol/address.js';
import type { Endpoint } from '../../../protocol/messages.js';
import {
  decodePunch,
  encodePunch,
  PUNCH_NONCE_BYTES,
  type PunchKind,
  type PunchPacket,
  punchKey,
} from '../../../protocol/punch.js';
import type { Role } from '../../../protocol/transcripts.js';
import type { SendBudget } from '../send-budget.js';

/** What is needed of a socket. */
export interface PacketSocket {
  onPacket: ((packet: Buffer, from: Endpoint) => void) | null;
  send(packet: Buffer, to: Endpoint, ttl?: number): void;
}

/** A socket of ours and an address of the peer's between which packets go both ways. */
export interface Pair<Socket> {
  socket: Socket;
  remote: Endpoint;
}

export interface ChecksOptions<Socket> {
  token: Buffer;
  role: Role;
  budget: SendBudget;
  /** Nothing better than this will come: no need to wait for others. */
  isBest(remote: Endpoint): boolean;
  /** Both sides have settled on this pair. Once. */
  onSelected(pair: Pair<Socket>): void;
}

/** After the first pair that works, a better one gets this long. */
const NOMINATE_AFTER_MS = 60;
const NOMINATE_EVERY_MS = 50;
const NOMINATIONS = 30;
/** A pair that was heard on is insisted on for a while: our first answer may be lost, or come before the way is open. */
const INSIST_AFTER_MS = [100, 200, 300];

/** Of addresses per socket: whoever knows the token may forge any number of sources. A spray aims at fewer. */
const MAX_CHECKS = 10_000;

interface Check<Socket> extends Pair<Socket> {
  nonce: Buffer;
  works: boolean;
  insisted: boolean;
}

/**
 * Finds out which of many pairs of addresses work, and settles on one with the peer: ICE's connectivity checks
 * (RFC 8445, section 7) without its lists. Whoever pings with the right token is answered and pinged back, wherever the
 * ping came from, for a gateway may show the peer's packets from where nobody expected them. A pair works when its ping
 * was answered from where it went. The TLS client then nominates one, until the server says that it is ready.
 */
export class Checks<Socket extends PacketSocket> {
  readonly #o: ChecksOptions<Socket>;
  readonly #myKey: Buffer;
  readonly #theirKey: Buffer;
  readonly #checks = new Map<Socket, Map<string, Check<Socket>>>();
  readonly #failed = new Set<Check<Socket>>();
  /** Addresses whose owner knows the token: packets to them are no strangers' burden. */
  readonly #answered = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #nominated: Check<Socket> | null = null;
  #selected: Pair<Socket> | null = null;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(options: ChecksOptions<Socket>) {
    this.#o = options;
    const { token, role } = options;
    this.#myKey = punchKey(token, role);
    this.#theirKey = punchKey(token, role === 'client' ? 'server' : 'client');
  }

  /** How long ago one of the peer's packets came through, on whatever pair; Infinity: none has. */
  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  get selected(): boolean {
    return this.#selected !== null;
  }

  /** Listens on this socket. */
  add(socket: Socket): void {
    this.#checks.set(socket, new Map());
    socket.onPacket = (bytes, from) => {
      const packet = decodePunch(this.#theirKey, bytes);
      if (packet) this.#receive(socket, from, packet);
    };
  }

  /** @param ttl hops that it may go; 0: as many as usual */
  ping(socket: Socket, to: Endpoint, ttl = 0): void {
    const check = this.#checkOf(socket, to);
    if (check) this.#send(socket, to, 'ping', check.nonce, ttl);
  }

  /** Nothing is heard, answered or sent any more. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#checks.keys()) socket.onPacket = null;
    this.#checks.clear();
  }

  #receive(socket: Socket, from: Endpoint, { kind, nonce }: PunchPacket): void {
    this.#heardAt = performance.now();
    const { role } = this.#o;
    const check = this.#checkOf(socket, from);
    if (!check) return;
    if (kind === 'ping') {
      this.#send(socket, from, 'pong', nonce);
      this.#insist(check);
    } else if (kind === 'pong' && nonce.equals(check.nonce)) this.#works(check);
    else if (kind === 'nominate' && role === 'server') this.#accept(check, nonce);
    else if (kind === 'ready' && role === 'client' && nonce.equals(check.nonce)) this.#select(check);
  }

  #insist(check: Check<Socket>): void {
    const pingAgain = () => {
      if (!check.works) this.ping(check.socket, check.remote);
    };
    pingAgain();
    if (check.insisted) return;
    check.insisted = true;
    for (const ms of INSIST_AFTER_MS) this.#later(ms, pingAgain);
  }

  #works(check: Check<Socket>): void {
    const { role, isBest } = this.#o;
    this.#answered.add(check.remote.address);
    if (check.works) return;
    check.works = true;
    if (role === 'server' || this.#nominated) return;
    if (isBest(check.remote)) this.#nominate(check, NOMINATIONS);
    else this.#later(NOMINATE_AFTER_MS, () => this.#nominateNext());
  }

  #nominateNext(): void {
    if (this.#nominated) return;
    const working = [...this.#checks.values()]
      .flatMap((checks) => [...checks.values()])
      .filter((check) => check.works && !this.#failed.has(check));
    const next = working.find(({ remote }) => this.#o.isBest(remote)) ?? working[0];
    if (next) this.#nominate(next, NOMINATIONS);
  }

  #nominate(check: Check<Socket>, times: number): void {
    if (this.#selected) return;
    this.#nominated = check;
    if (times === 0) {
      this.#nominated = null;
      this.#failed.add(check);
      this.#nominateNext();
      return;
    }
    this.#send(check.socket, check.remote, 'nominate', check.nonce);
    this.#later(NOMINATE_EVERY_MS, () => this.#nominate(check, times - 1));
  }

  /** The first nomination counts; it comes again until our answer has arrived. */
  #accept(check: Check<Socket>, nonce: Buffer): void {
    if (!this.#selected) this.#select(check);
    const { socket, remote } = this.#selected ?? check;
    if (socket === check.socket && remote === check.remote) this.#send(socket, remote, 'ready', nonce);
  }

  #select({ socket, remote }: Check<Socket>): void {
    if (this.#selected) return;
    this.#selected = { socket, remote };
    this.#o.onSelected(this.#selected);
  }

  #send(socket: Socket, to: Endpoint, kind: PunchKind, nonce: Buffer, ttl = 0): void {
    const mayGo = this.#answered.has(to.address) || this.#o.budget.spend(to.address, performance.now());
    if (mayGo) socket.send(encodePunch(this.#myKey, { kind, nonce }), to, ttl);
  }

  #checkOf(socket: Socket, remote: Endpoint): Check<Socket> | null {
    const checks = this.#checks.get(socket) ?? new Map<string, Check<Socket>>();
    this.#checks.set(socket, checks);
    const name = formatEndpoint(remote);
    const known = checks.get(name);
    if (known) return known;
    if (checks.size >= MAX_CHECKS) return null;
    const check = { socket, remote, nonce: randomBytes(PUNCH_NONCE_BYTES), works: false, insisted: false };
    checks.set(name, check);
    return check;
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}
