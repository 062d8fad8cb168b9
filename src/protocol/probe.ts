import { createHmac, timingSafeEqual } from 'node:crypto';
import { addressBytes, addressOf } from './address-bytes.js';
import type { Endpoint } from './messages.js';

/**
 * How a peer learns what its UDP packets look like from outside: it sends a probe, and the mediator replies with the
 * address and port that it saw. Both are signed with the key that the introduction gave to this peer alone, and both are
 * of one size, so that a forged source address gains whoever forged it nothing.
 *
 *   0  "tbr1"      8  key id     24  cookie: none (zeros), or that of an earlier reply to the same source
 *   4  kind       16  nonce      32  reply: the address, XOR nonce and cookie. Probe: zeros
 *   5  confirmed                 48  the first half of HMAC-SHA256 over all before it
 *   6  reply: the port, XOR the nonce's first two bytes
 *
 * The mask is STUN's (RFC 8489, section 14.2): some gateways rewrite addresses that they recognise in packets.
 */
export const PROBE_BYTES = 64;
export const PROBE_NONCE_BYTES = 8;
export const PROBE_COOKIE_BYTES = 8;

const MAGIC = Buffer.from('tbr1', 'latin1');
const KIND_PROBE = 1;
const KIND_REPLY = 2;
const TAG_AT = 48;
const NO_COOKIE = Buffer.alloc(PROBE_COOKIE_BYTES);

export interface Probe {
  /** Chosen by the peer at random; comes back in the reply. */
  nonce: Buffer;
  /** From an earlier reply; null in a first probe. */
  cookie: Buffer | null;
}

export interface ProbeReply {
  nonce: Buffer;
  cookie: Buffer;
  /** Where the probe came from. */
  seen: Endpoint;
  /** The probe had this source's cookie: it really is there, and its address counts. */
  confirmed: boolean;
}

/** Names a probe key without telling it: 16 hex digits. */
export function probeKeyId(key: Buffer): string {
  return createHmac('sha256', key).update('turbo-beep/1 probe key').digest('hex').slice(0, 16);
}

export function encodeProbe(key: Buffer, { nonce, cookie }: Probe): Buffer {
  return seal(key, KIND_PROBE, nonce, cookie ?? NO_COOKIE, () => {});
}

export function encodeProbeReply(key: Buffer, { nonce, cookie, seen, confirmed }: ProbeReply): Buffer {
  return seal(key, KIND_REPLY, nonce, cookie, (packet) => {
    packet[5] = confirmed ? 1 : 0;
    packet.writeUInt16BE(seen.port ^ nonce.readUInt16BE(), 6);
    addressBytes(seen.address).copy(packet, 32);
    mask(packet);
  });
}

/** Of a packet that may be a probe; null if it cannot be one. What it says is not yet to be believed. */
export function keyIdOfProbe(packet: Buffer): string | null {
  return isOfKind(packet, KIND_PROBE) ? packet.toString('hex', 8, 16) : null;
}

/** Null unless it is a probe made with this key. */
export function decodeProbe(key: Buffer, packet: Buffer): Probe | null {
  if (!isOfKind(packet, KIND_PROBE) || !isSealed(key, packet)) return null;
  const cookie = Buffer.from(packet.subarray(24, 32));
  return { nonce: Buffer.from(packet.subarray(16, 24)), cookie: cookie.equals(NO_COOKIE) ? null : cookie };
}

/** Null unless it is a reply made with this key. */
export function decodeProbeReply(key: Buffer, packet: Buffer): ProbeReply | null {
  if (!isOfKind(packet, KIND_REPLY) || !isSealed(key, packet)) return null;
  const open = Buffer.from(packet);
  mask(open);
  return {
    nonce: open.subarray(16, 24),
    cookie: open.subarray(24, 32),
    seen: { address: addressOf(open.subarray(32, 48)), port: open.readUInt16BE(6) ^ open.readUInt16BE(16) },
    confirmed: open[5] === 1,
  };
}

function seal(key: Buffer, kind: number, nonce: Buffer, cookie: Buffer, fill: (packet: Buffer) => void): Buffer {
  const packet = Buffer.alloc(PROBE_BYTES);
  MAGIC.copy(packet);
  packet[4] = kind;
  packet.write(probeKeyId(key), 8, 'hex');
  nonce.copy(packet, 16);
  cookie.copy(packet, 24);
  fill(packet);
  tagOf(key, packet).copy(packet, TAG_AT);
  return packet;
}

function isOfKind(packet: Buffer, kind: number): boolean {
  return packet.length === PROBE_BYTES && packet.subarray(0, 4).equals(MAGIC) && packet[4] === kind;
}

function isSealed(key: Buffer, packet: Buffer): boolean {
  return timingSafeEqual(packet.subarray(TAG_AT), tagOf(key, packet));
}

/** 128 bits: a forger has one guess a packet. */
function tagOf(key: Buffer, packet: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(packet.subarray(0, TAG_AT))
    .digest()
    .subarray(0, PROBE_BYTES - TAG_AT);
}

/** Applied twice, it is undone. */
function mask(packet: Buffer): void {
  for (let at = 0; at < 16; at++) packet[32 + at] = (packet[32 + at] ?? 0) ^ (packet[16 + at] ?? 0);
}
