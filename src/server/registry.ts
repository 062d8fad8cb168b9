import { PROBE_KEY_BYTES, TOKEN_BYTES } from '../protocol/constants.js';
import type { Endpoint, MediatorMessage } from '../protocol/messages.js';
import { TokenBucket } from '../protocol/token-bucket.js';

/**
 * Who is there, whom each wants, and who is introduced to whom. It does nothing itself: an event comes in, the effects
 * go out, in the order in which they are to happen. Clock and randomness are arguments.
 *
 * A registration is (id, wanted id). Two that name each other are a pair, and are introduced when the second joins, and
 * again whenever one of them asks to meet. What one pair does is never seen by another.
 */
export type RegistryEvent =
  | { kind: 'joined'; registration: Registration }
  | { kind: 'left'; connection: number }
  | { kind: 'meet'; connection: number }
  | { kind: 'woke'; pair: string; atMs: number };

export type RegistryEffect =
  | { kind: 'send'; connection: number; message: MediatorMessage }
  /** After what was sent; the registry has already forgotten it. */
  | { kind: 'close'; connection: number }
  | { kind: 'openRelay'; ids: readonly [string, string]; token: Buffer; quota: number }
  /** Hand the event back at its `atMs`. */
  | { kind: 'wake'; event: Extract<RegistryEvent, { kind: 'woke' }> };

export interface Registration {
  /** Never the same for two connections. */
  connection: number;
  id: string;
  wantedId: string;
  reflexive: Endpoint;
}

export interface RegistryOptions {
  random: (bytes: number) => Buffer;
  /** What the relay of a new introduction may carry, as told to both peers; 0: no limit. */
  relayQuota: (ids: readonly [string, string]) => number;
  /** Where UDP probes are answered, if they are. */
  probes?: () => Endpoint[];
}

/** Both peers get the introduction before either begins. */
const START_IN_MS = 100;
/** One loss is noticed by both peers: a wish to meet this soon after an introduction is answered by it. */
export const COALESCE_MS = 300;
const MEET_BURST = 10;
const MEETS_PER_SECOND = 1;
export const MAX_REGISTRATIONS_PER_ID = 256;

interface Pair {
  introducedAtMs: number;
  meetings: TokenBucket;
  /** When an introduction that had to wait is due. */
  dueAtMs: number | null;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #byConnection = new Map<number, Registration>();
  readonly #byId = new Map<string, Map<string, Registration>>();
  readonly #pairs = new Map<string, Pair>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  handle(event: RegistryEvent, nowMs: number): RegistryEffect[] {
    switch (event.kind) {
      case 'joined':
        return this.#join(event.registration, nowMs);
      case 'left':
        return this.#leave(event.connection);
      case 'meet':
        return this.#meet(event.connection, nowMs);
      case 'woke':
        return this.#wake(event.pair, event.atMs, nowMs);
    }
  }

  connectionsOf(id: string): number[] {
    return Array.from(this.#byId.get(id)?.values() ?? [], ({ connection }) => connection);
  }

  #join(registration: Registration, nowMs: number): RegistryEffect[] {
    const { connection, id, wantedId } = registration;
    const older = this.#find(id, wantedId);
    if (!older && (this.#byId.get(id)?.size ?? 0) >= MAX_REGISTRATIONS_PER_ID) {
      return sendAndClose(connection, { kind: 'goodbye', reason: 'too many conversations of this key at once' });
    }
    const effects = older ? sendAndClose(older.connection, { kind: 'replaced' }) : [];
    if (older) this.#byConnection.delete(older.connection);
    this.#remember(registration);

    const other = this.#find(wantedId, id);
    if (other) effects.push(...this.#introduce(registration, other, nowMs));
    else effects.push({ kind: 'send', connection, message: { kind: 'waiting' } });
    return effects;
  }

  #leave(connection: number): RegistryEffect[] {
    const registration = this.#byConnection.get(connection);
    // One that was replaced, or never got in, leaves nobody behind.
    if (!registration) return [];
    this.#forget(registration);
    const other = this.#find(registration.wantedId, registration.id);
    if (other) return [{ kind: 'send', connection: other.connection, message: { kind: 'waiting' } }];
    this.#pairs.delete(pairOf(registration));
    return [];
  }

  #meet(connection: number, nowMs: number): RegistryEffect[] {
    const registration = this.#byConnection.get(connection);
    const other = registration && this.#find(registration.wantedId, registration.id);
    if (!other) return [];
    const key = pairOf(registration);
    const pair = this.#pairs.get(key);
    if (!pair) return this.#introduce(registration, other, nowMs);
    // A second introduction now would cut off what the first has begun. A peer that still has no link asks again.
    if (pair.dueAtMs !== null || nowMs - pair.introducedAtMs < COALESCE_MS) return [];
    const dueAtMs = nowMs + pair.meetings.waitMs(nowMs);
    if (dueAtMs <= nowMs) return this.#introduce(registration, other, nowMs);
    pair.dueAtMs = dueAtMs;
    return [{ kind: 'wake', event: { kind: 'woke', pair: key, atMs: dueAtMs } }];
  }

  #wake(key: string, atMs: number, nowMs: number): RegistryEffect[] {
    const pair = this.#pairs.get(key);
    // Introduced meanwhile, or gone.
    if (!pair || pair.dueAtMs !== atMs) return [];
    pair.dueAtMs = null;
    const [id, wantedId] = idsOf(key);
    const one = this.#find(id, wantedId);
    const other = this.#find(wantedId, id);
    return one && other ? this.#introduce(one, other, nowMs) : [];
  }

  #introduce(one: Registration, other: Registration, nowMs: number): RegistryEffect[] {
    const key = pairOf(one);
    const pair = this.#pairs.get(key) ?? newPair(nowMs);
    this.#pairs.set(key, pair);
    pair.introducedAtMs = nowMs;
    pair.dueAtMs = null;
    pair.meetings.take(nowMs);

    const introductionId = this.#options.random(16).toString('hex');
    const token = this.#options.random(TOKEN_BYTES);
    const ids = [one.id, other.id] as const;
    const relayQuota = this.#options.relayQuota(ids);
    const tell = ({ connection, reflexive }: Registration): RegistryEffect => {
      const { probes, random } = this.#options;
      const forBoth = { introductionId, token, startInMs: START_IN_MS, relayQuota, probes: probes?.() ?? [] };
      const message: MediatorMessage = {
        kind: 'introduction',
        ...forBoth,
        reflexive,
        probeKey: random(PROBE_KEY_BYTES),
      };
      return { kind: 'send', connection, message };
    };
    // The relay first: it must know the token before either peer does.
    return [{ kind: 'openRelay', ids, token, quota: relayQuota }, tell(one), tell(other)];
  }

  #find(id: string, wantedId: string): Registration | undefined {
    return this.#byId.get(id)?.get(wantedId);
  }

  #remember(registration: Registration): void {
    const { connection, id, wantedId } = registration;
    const wanted = this.#byId.get(id) ?? new Map<string, Registration>();
    this.#byId.set(id, wanted.set(wantedId, registration));
    this.#byConnection.set(connection, registration);
  }

  #forget({ connection, id, wantedId }: Registration): void {
    this.#byConnection.delete(connection);
    const wanted = this.#byId.get(id);
    wanted?.delete(wantedId);
    if (wanted?.size === 0) this.#byId.delete(id);
  }
}

/** The same for both of a pair. */
function pairOf({ id, wantedId }: Registration): string {
  return id < wantedId ? `${id} ${wantedId}` : `${wantedId} ${id}`;
}

function idsOf(pair: string): [string, string] {
  const [one = '', other = ''] = pair.split(' ');
  return [one, other];
}

function newPair(nowMs: number): Pair {
  return { introducedAtMs: nowMs, meetings: new TokenBucket(MEET_BURST, MEETS_PER_SECOND, nowMs), dueAtMs: null };
}

function sendAndClose(connection: number, message: MediatorMessage): RegistryEffect[] {
  return [
    { kind: 'send', connection, message },
    { kind: 'close', connection },
  ];
}
