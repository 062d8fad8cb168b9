import { createHmac, randomBytes } from 'node:crypto';
import type { Endpoint } from '../../protocol/messages.js';
import { decodeProbe, encodeProbeReply, keyIdOfProbe, PROBE_COOKIE_BYTES, probeKeyId } from '../../protocol/probe.js';
import { TokenBucket } from '../../protocol/token-bucket.js';

/** As long as an introduction may lead to anything. */
export const PROBE_KEY_LIFE_MS = 60_000;
/** To sources that have not yet echoed a cookie: whoever holds a key can send few replies to an address not their own. */
export const MAX_UNCONFIRMED_REPLIES = 128;
export const MAX_REPLIES = 512;
/** Of all keys together. */
const REPLIES_PER_SECOND = 20_000;

interface Expected {
  key: Buffer;
  expiresAtMs: number;
  replies: number;
  unconfirmed: number;
}

/**
 * Answers probes, and stays silent to everything else: only keys of introductions count, for a while and a number of
 * replies. It keeps nothing about addresses: the cookie that a source must echo is computed from it. The clock is an
 * argument.
 */
export class ProbeDesk {
  readonly #secret = randomBytes(32);
  readonly #inAll: TokenBucket;
  /** By key id; all live equally long, so the first to come are the first to go. */
  readonly #expected = new Map<string, Expected>();

  constructor(nowMs: number) {
    this.#inAll = new TokenBucket(REPLIES_PER_SECOND, REPLIES_PER_SECOND, nowMs);
  }

  get size(): number {
    return this.#expected.size;
  }

  /** From now on, and for a while, probes made with this key are answered. */
  expect(key: Buffer, nowMs: number): void {
    this.#forgetExpired(nowMs);
    this.#expected.set(probeKeyId(key), {
      key,
      expiresAtMs: nowMs + PROBE_KEY_LIFE_MS,
      replies: 0,
      unconfirmed: 0,
    });
  }

  /** Probes made with this key are answered no longer. */
  forget(key: Buffer): void {
    this.#expected.delete(probeKeyId(key));
  }

  /** The reply to a packet from this source, as long as the packet; null: say nothing. */
  answer(packet: Buffer, source: Endpoint, nowMs: number): Buffer | null {
    // A forged packet may come from port 0, to which nothing can be sent: Node throws.
    if (source.port === 0) return null;
    const keyId = keyIdOfProbe(packet);
    const expected = keyId === null ? undefined : this.#expected.get(keyId);
    // Before any computing: strangers' packets cost a look into a map.
    if (!keyId || !expected || expected.expiresAtMs <= nowMs || this.#inAll.waitMs(nowMs) > 0) return null;
    const probe = decodeProbe(expected.key, packet);
    if (!probe) return null;
    const cookie = this.#cookieOf(keyId, source);
    const confirmed = probe.cookie?.equals(cookie) ?? false;
    if (!this.#mayReply(expected, confirmed)) return null;
    this.#inAll.take(nowMs);
    return encodeProbeReply(expected.key, { nonce: probe.nonce, cookie, seen: source, confirmed });
  }

  #mayReply(expected: Expected, confirmed: boolean): boolean {
    if (expected.replies >= MAX_REPLIES) return false;
    if (!confirmed && expected.unconfirmed >= MAX_UNCONFIRMED_REPLIES) return false;
    expected.replies += 1;
    if (!confirmed) expected.unconfirmed += 1;
    return true;
  }

  #cookieOf(keyId: string, { address, port }: Endpoint): Buffer {
    const mac = createHmac('sha256', this.#secret).update(`${keyId} ${address} ${port}`).digest();
    return mac.subarray(0, PROBE_COOKIE_BYTES);
  }

  #forgetExpired(nowMs: number): void {
    for (const [id, { expiresAtMs }] of this.#expected) {
      if (expiresAtMs > nowMs) return;
      this.#expected.delete(id);
    }
  }
}
