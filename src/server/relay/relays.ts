import type { Socket } from 'node:net';
import { prefaceOf } from '../../protocol/preface.js';
import type { Role } from '../../protocol/transcripts.js';
import { Allowances, type RelayLimits } from './allowances.js';
import { PairTraffic } from './pair-traffic.js';
import { Turns } from './turns.js';

/** A token opens nothing after this. */
const UNUSED_TOKEN_MS = 30_000;
/** Every introduction opens one; a session that moved leaves its last one behind for a while. */
export const MAX_RELAYS_PER_PAIR = 16;

export interface RelaysOptions {
  limits: RelayLimits;
  unusedMs?: number;
}

type Ids = readonly [string, string];

interface Relay {
  ids: Ids;
  /** Bytes that it carries, both ways together; 0: as many as its pair may. */
  quota: number;
  prefaces: Record<Role, Buffer>;
  streams: Partial<Record<Role, Socket>>;
  expiry: NodeJS.Timeout;
}

/** What a pair has open. */
interface Pair {
  /** With a stream or two, oldest first. */
  relays: Set<Relay>;
  traffic: PairTraffic;
}

/**
 * The relay streams: two connections whose prefaces come from one introduction's token are joined, and their bytes
 * carried, whatever becomes of the registrations that led to them.
 */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #allowances: Allowances;
  readonly #turns = new Turns();
  /** By preface, in hex; each is taken out when it is used. */
  readonly #expected = new Map<string, { relay: Relay; role: Role }>();
  readonly #open = new Map<string, Pair>();

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#allowances = new Allowances(options.limits);
  }

  /** Bytes that a new relay of these two would carry; 0: no limit of its own. */
  quotaFor(ids: Ids): number {
    return this.#allowances.quotaOf(pairOf(ids), performance.now());
  }

  /** From now on, and for a while, the two prefaces of this token open a relay. @param quota as told to the peers */
  expect(ids: Ids, token: Buffer, quota: number): void {
    const prefaces = { client: prefaceOf(token, 'client'), server: prefaceOf(token, 'server') };
    const expiry = setTimeout(() => this.#close(relay), this.#options.unusedMs ?? UNUSED_TOKEN_MS);
    const relay: Relay = { ids, quota, prefaces, streams: {}, expiry };
    for (const role of ['client', 'server'] as const)
      this.#expected.set(prefaces[role].toString('hex'), { relay, role });
  }

  /** Takes over a stream whose preface was just read. False, and the stream is untouched, if nobody expects it. */
  accept(stream: Socket, preface: Buffer): boolean {
    const name = preface.toString('hex');
    const found = this.#expected.get(name);
    if (!found || stream.destroyed) return false;
    this.#expected.delete(name);
    const { relay, role } = found;
    relay.streams[role] = stream;
    stream.on('close', () => this.#onClose(relay));
    const pair = this.#remember(relay);
    const { client, server } = relay.streams;
    if (client && server) this.#join(relay, pair, client, server);
    return true;
  }

  /** Ends every relay of this id, and those that wait for it. */
  cut(id: string): void {
    const waiting = Array.from(this.#expected.values(), ({ relay }) => relay);
    for (const relay of [...waiting, ...this.#all()]) if (relay.ids.includes(id)) this.#close(relay);
  }

  stop(): void {
    for (const { relay } of this.#expected.values()) clearTimeout(relay.expiry);
    this.#expected.clear();
    for (const relay of this.#all()) this.#close(relay);
    this.#turns.stop();
  }

  #join(relay: Relay, pair: Pair, client: Socket, server: Socket): void {
    clearTimeout(relay.expiry);
    // Each peer waits for the other's preface, as on a direct path.
    server.write(relay.prefaces.client);
    client.write(relay.prefaces.server);
    pair.traffic.carry(client, server, relay.quota);
    this.#cutOldest(pair);
  }

  /** Two streams that were joined see to each other's end; one that still waits takes its relay with it. */
  #onClose(relay: Relay): void {
    const { client, server } = relay.streams;
    if (!client || !server) this.#forget(relay);
    else if (client.closed && server.closed) this.#forget(relay);
  }

  #close(relay: Relay): void {
    this.#forget(relay);
    relay.streams.client?.destroy();
    relay.streams.server?.destroy();
  }

  #remember(relay: Relay): Pair {
    const name = pairOf(relay.ids);
    const pair = this.#open.get(name) ?? this.#openPair(name);
    pair.relays.add(relay);
    return pair;
  }

  #openPair(name: string): Pair {
    const allowance = this.#allowances.of(name, performance.now());
    allowance.inUse = true;
    const pair = { relays: new Set<Relay>(), traffic: new PairTraffic(allowance, this.#turns) };
    this.#open.set(name, pair);
    return pair;
  }

  #cutOldest({ relays }: Pair): void {
    const joined = [...relays].filter(({ streams }) => streams.client && streams.server);
    const [oldest] = joined;
    if (oldest && joined.length > MAX_RELAYS_PER_PAIR) this.#close(oldest);
  }

  #forget(relay: Relay): void {
    clearTimeout(relay.expiry);
    for (const role of ['client', 'server'] as const) this.#expected.delete(relay.prefaces[role].toString('hex'));
    const name = pairOf(relay.ids);
    const pair = this.#open.get(name);
    pair?.relays.delete(relay);
    if (pair?.relays.size !== 0) return;
    pair.traffic.stop();
    this.#allowances.of(name, performance.now()).inUse = false;
    this.#open.delete(name);
  }

  #all(): Relay[] {
    return [...this.#open.values()].flatMap(({ relays }) => [...relays]);
  }
}

function pairOf(ids: Ids): string {
  return [...ids].sort().join(' ');
}
