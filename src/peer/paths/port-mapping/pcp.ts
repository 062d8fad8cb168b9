import { addressBytes, addressOf } from '../../../protocol/address-bytes.js';
import type { Endpoint } from '../../../protocol/messages.js';
import type { PortRequest } from './lease.js';

/**
 * The MAP request of the Port Control Protocol (RFC 6887, sections 7 and 11) and its response, both of 60 bytes:
 *
 *   0  version 2           24  nonce, 12 bytes
 *   1  opcode 1, MAP       36  protocol: 6 or 17
 *   3  response: result    40  internal port
 *   4  lifetime, seconds   42  external port: suggested, assigned
 *   8  the client's own    44  external address: suggested, assigned
 *      address; response: epoch
 *
 * Addresses are 16 bytes, IPv4 in its IPv6-mapped form.
 */
export const PCP_NONCE_BYTES = 12;

const VERSION = 2;
const OP_MAP = 1;
const RESPONSE = 0x80;
const BYTES = 60;
/** A gateway that knows only NAT-PMP answers with its own version and "unsupported version" (RFC 6886, section 3.5). */
const NAT_PMP_RESPONSE_BYTES = 8;
const PROTOCOLS = { tcp: 6, udp: 17 } as const;

const RESULTS = [
  'done',
  'the gateway speaks another version',
  'the gateway does not allow it',
  'the gateway did not understand the request',
  'the gateway maps no ports',
  'the gateway does not know an option',
  'the gateway did not understand an option',
  'the gateway has no connection of its own',
  'the gateway has no ports left',
  'the gateway does not know the transport',
  'no more ports for this machine',
  'the gateway cannot give that external port',
  'another gateway changes addresses in between',
];

export interface MapRequest extends PortRequest {
  /** The same for all requests about one mapping; without it nobody can change or end it. */
  nonce: Buffer;
  /** This machine's address as the gateway sees it. */
  client: string;
  /** 0: end the mapping. */
  lifetimeSeconds: number;
  /** Null: any. */
  suggested: Endpoint | null;
}

/** `granted`: for how long and where. `refused`: why, for people. */
export type MapResponse =
  | { kind: 'granted'; lifetimeSeconds: number; external: Endpoint }
  | { kind: 'refused'; why: string };

export function encodeMapRequest(request: MapRequest): Buffer {
  const packet = Buffer.alloc(BYTES);
  packet[0] = VERSION;
  packet[1] = OP_MAP;
  packet.writeUInt32BE(request.lifetimeSeconds, 4);
  addressBytes(request.client).copy(packet, 8);
  request.nonce.copy(packet, 24);
  packet[36] = PROTOCOLS[request.transport];
  packet.writeUInt16BE(request.internalPort, 40);
  packet.writeUInt16BE(request.suggested?.port ?? 0, 42);
  addressBytes(request.suggested?.address ?? '0.0.0.0').copy(packet, 44);
  return packet;
}

/** Null if it does not answer this request. */
export function decodeMapResponse(packet: Buffer, request: MapRequest): MapResponse | null {
  const [version, opcode, , result = 0] = packet;
  if (packet.length >= NAT_PMP_RESPONSE_BYTES && version !== VERSION && isResponse(opcode)) return refused(1);
  if (packet.length < BYTES || version !== VERSION || opcode !== (RESPONSE | OP_MAP)) return null;
  const isOurs =
    packet.subarray(24, 24 + PCP_NONCE_BYTES).equals(request.nonce) &&
    packet[36] === PROTOCOLS[request.transport] &&
    packet.readUInt16BE(40) === request.internalPort;
  if (!isOurs) return null;
  if (result !== 0) return refused(result);
  return {
    kind: 'granted',
    lifetimeSeconds: packet.readUInt32BE(4),
    external: { address: addressOf(packet.subarray(44, 60)), port: packet.readUInt16BE(42) },
  };
}

function isResponse(opcode: number | undefined): boolean {
  return opcode !== undefined && (opcode & RESPONSE) !== 0;
}

function refused(result: number): MapResponse {
  return { kind: 'refused', why: RESULTS[result] ?? `the gateway refuses (result ${result})` };
}
