import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Role } from './transcripts.js';

/**
 * The packets with which two peers open a UDP path. Each is signed with a key made of the introduction's token and the
 * sender's role: whoever lacks the token is not answered at all, and an echo of one's own packet is nobody's.
 *
 *   0  "tbu1"    4  kind    5  zeros    8  nonce    16  the first half of HMAC-SHA256 over all before it
 *
 *   ping      is anyone there? Its nonce belongs to one destination
 *   pong      yes: the ping's nonce, back to where it came from
 *   nominate  TLS client only: let the stream run between these two addresses
 *   ready     TLS server only: my end of the stream exists; the nomination's nonce
 *
 * It cannot be taken for a packet of a udx stream, which begins with 0xff.
 */
export const PUNCH_BYTES = 32;
export const PUNCH_NONCE_BYTES = 8;

export const PUNCH_KINDS = ['ping', 'pong', 'nominate', 'ready'] as const;
export type PunchKind = (typeof PUNCH_KINDS)[number];

export interface PunchPacket {
  kind: PunchKind;
  nonce: Buffer;
}

const MAGIC = Buffer.from('tbu1', 'latin1');
const TAG_AT = 16;

/** @param role the sender's */
export function punchKey(token: Buffer, role: Role): Buffer {
  return createHmac('sha256', token).update(`turbo-beep/1 punch ${role}`).digest();
}

/** The number by which the streams' packets find this role's end: hard to guess, so that strangers cannot cut in. */
export function streamIdOf(token: Buffer, role: Role): number {
  return createHmac('sha256', token).update(`turbo-beep/1 stream ${role}`).digest().readUInt32BE();
}

export function encodePunch(key: Buffer, { kind, nonce }: PunchPacket): Buffer {
  const packet = Buffer.alloc(PUNCH_BYTES);
  MAGIC.copy(packet);
  packet[4] = PUNCH_KINDS.indexOf(kind);
  nonce.copy(packet, 8);
  tagOf(key, packet).copy(packet, TAG_AT);
  return packet;
}

/** Null unless it was made with this key. */
export function decodePunch(key: Buffer, packet: Buffer): PunchPacket | null {
  if (packet.length !== PUNCH_BYTES || !packet.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const kind = PUNCH_KINDS[packet[4] ?? PUNCH_KINDS.length];
  if (!kind || !timingSafeEqual(packet.subarray(TAG_AT), tagOf(key, packet))) return null;
  return { kind, nonce: Buffer.from(packet.subarray(8, TAG_AT)) };
}

function tagOf(key: Buffer, packet: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(packet.subarray(0, TAG_AT))
    .digest()
    .subarray(0, PUNCH_BYTES - TAG_AT);
}
