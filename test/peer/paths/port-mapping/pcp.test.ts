import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMapResponse, encodeMapRequest, type MapRequest } from '../../../../src/peer/paths/port-mapping/pcp.js';

const REQUEST: MapRequest = {
  transport: 'udp',
  internalPort: 0x1234,
  nonce: Buffer.from('000102030405060708090a0b', 'hex'),
  client: '192.168.1.2',
  lifetimeSeconds: 3600,
  suggested: { address: '198.51.100.2', port: 0xabcd },
};

/** Written by hand from RFC 6887, sections 7.1 and 11.1. */
const REQUEST_BYTES = [
  '02 01 0000 00000e10 00000000000000000000ffffc0a80102',
  '000102030405060708090a0b 11 000000 1234 abcd 00000000000000000000ffffc6336402',
];
const RESPONSE_BYTES = [
  '02 81 00 00 00000708 0000002a 000000000000000000000000',
  '000102030405060708090a0b 11 000000 1234 c001 00000000000000000000ffffcb007102',
];
const bytes = (lines: string[]) => Buffer.from(lines.join('').replaceAll(' ', ''), 'hex');

/** The response with the byte at `at` changed to `to`. */
function altered(at: number, to: number): Buffer {
  const packet = bytes(RESPONSE_BYTES);
  packet[at] = to;
  return packet;
}

describe('a MAP request', () => {
  it('is as the RFC has it', () => {
    expect(encodeMapRequest(REQUEST).toString('hex')).toBe(bytes(REQUEST_BYTES).toString('hex'));
  });

  it('asks for any port, and for TCP', () => {
    const packet = encodeMapRequest({ ...REQUEST, transport: 'tcp', suggested: null });
    expect(packet[36]).toBe(6);
    expect(packet.readUInt16BE(42)).toBe(0);
    expect(packet.subarray(44).toString('hex')).toBe('00000000000000000000ffff00000000');
  });
});

describe('a MAP response', () => {
  it('grants an address, a port and a lifetime', () => {
    expect(decodeMapResponse(bytes(RESPONSE_BYTES), REQUEST)).toEqual({
      kind: 'granted',
      lifetimeSeconds: 1800,
      external: { address: '203.0.113.2', port: 0xc001 },
    });
  });

  it.each([
    [2, 'does not allow'],
    [8, 'no ports left'],
    [12, 'another gateway'],
    [200, 'result 200'],
  ])('with result %i refuses, and says why', (result, why) => {
    expect(decodeMapResponse(altered(3, result), REQUEST)).toEqual({
      kind: 'refused',
      why: expect.stringContaining(why),
    });
  });

  it.each([
    ['a NAT-PMP gateway', '00 81 0001 0000002a'],
    ['a gateway of a later version', '03 81 0001 00000000'],
  ])('of %s refuses the version', (_, packet) => {
    expect(decodeMapResponse(bytes([packet]), REQUEST)).toMatchObject({ why: expect.stringContaining('version') });
  });

  it.each([
    ['a request', altered(1, 1)],
    ['the response to another opcode', altered(1, 0x82)],
    ['one with another nonce', altered(24, 0xff)],
    ['one for TCP', altered(36, 6)],
    ['one for another port', altered(40, 0xff)],
    ['one that is cut off', bytes(RESPONSE_BYTES).subarray(0, 59)],
    ['an empty packet', Buffer.alloc(0)],
    ['a NAT-PMP request', bytes(['00 01'])],
  ])('is not %s', (_, packet) => {
    expect(decodeMapResponse(packet, REQUEST)).toBeNull();
  });

  it('is never read beyond its end, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (packet) => {
        decodeMapResponse(Buffer.from(packet), REQUEST);
      }),
    );
  });
});
