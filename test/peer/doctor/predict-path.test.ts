import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PairView, predictPath } from '../../../src/peer/doctor/predict-path.js';
import { type Candidate, PATH_KINDS } from '../../../src/protocol/messages.js';

const PORTS = {
  fixed: [40000, 40000],
  sequential: [40000, 40001, 40002, 40003],
  random: [23456, 60123, 1400, 31337, 50505],
  blocked: [],
};
type Kind = keyof typeof PORTS;

function candidate(type: Candidate['type'], transport: 'tcp' | 'udp', address: string, seenPorts: number[] = []) {
  return { type, transport, address, port: 40000, seenPorts };
}

/** What a peer tells that is seen at `outside`, and has the address `inside`. */
function told(outside: string, kind: Kind, inside = '192.168.1.2'): Candidate[] {
  const transports = ['tcp', 'udp'] as const;
  return [
    ...transports.map((transport) => candidate('host', transport, inside)),
    candidate('reflexive', 'tcp', outside),
    candidate('reflexive', 'udp', outside, PORTS[kind]),
  ];
}

function view(mine: Candidate[], theirs: Candidate[], more: Partial<PairView> = {}): PairView {
  return { mine, theirs, allowed: PATH_KINDS, relayCarries: true, hairpin: null, isNear: () => false, ...more };
}

const A = '198.51.100.2';
const B = '203.0.113.2';

describe('predictPath foresees', () => {
  it.each<[Kind, Kind, string]>([
    ['fixed', 'fixed', 'tcp-punch'],
    ['fixed', 'random', 'udp-punch'],
    ['fixed', 'sequential', 'udp-punch'],
    ['sequential', 'sequential', 'udp-punch'],
    ['random', 'random', 'relay'],
    ['random', 'sequential', 'relay'],
    ['blocked', 'fixed', 'tcp-punch'],
    ['blocked', 'random', 'relay'],
    ['blocked', 'blocked', 'tcp-punch'],
  ])('for %s and %s ports: %s, whoever looks', (one, other, path) => {
    const [mine, theirs] = [told(A, one), told(B, other, '192.168.2.2')];
    expect(predictPath(view(mine, theirs)).path).toBe(path);
    expect(predictPath(view(theirs, mine)).path).toBe(path);
  });

  it('a direct connection to who has a public address, or a router that gave out a port', () => {
    const hard = told(A, 'random');
    expect(predictPath(view(hard, told(B, 'random', B))).path).toBe('tcp-direct');
    const mapped = [...told(B, 'random', '192.168.2.2'), candidate('mapped', 'tcp', '20.0.1.2')];
    expect(predictPath(view(hard, mapped)).path).toBe('tcp-direct');
    expect(predictPath(view(mapped, hard)).path).toBe('tcp-direct');
    const inner = [...told(B, 'random', '192.168.2.2'), candidate('mapped', 'tcp', '100.64.0.3')];
    expect(predictPath(view(hard, inner)).path).toBe('relay');
  });

  it('a direct connection in one network, but not in two that have the same addresses', () => {
    const isNear = (address: string) => address.startsWith('192.168.1.');
    const [mine, theirs] = [told(A, 'random'), told(A, 'random', '192.168.1.3')];
    expect(predictPath(view(mine, theirs, { isNear }))).toMatchObject({ path: 'tcp-direct' });
    expect(predictPath(view(mine, told(B, 'random', '192.168.1.3'), { isNear })).path).toBe('relay');
  });

  it('for two behind one gateway what the gateway leads back inside', () => {
    const [mine, theirs] = [told(A, 'fixed', '10.0.1.2'), told(A, 'fixed', '10.0.2.2')];
    expect(predictPath(view(mine, theirs, { hairpin: true })).path).toBe('udp-punch');
    expect(predictPath(view(mine, theirs, { hairpin: false })).path).toBe('relay');
    expect(predictPath(view(mine, theirs)).path).toBe('relay');
  });

  it('no path that was not allowed, and none at all where the relay carries nothing', () => {
    const pair = [told(A, 'fixed'), told(B, 'fixed', '192.168.2.2')] as const;
    expect(predictPath(view(...pair, { allowed: ['udp-punch', 'relay'] })).path).toBe('udp-punch');
    expect(predictPath(view(...pair, { allowed: ['tcp-direct'] })).path).toBeNull();
    expect(predictPath(view(...pair, { allowed: ['relay'], relayCarries: false })).path).toBeNull();
    expect(predictPath(view([], [], { allowed: ['relay'] }))).toEqual({
      path: 'relay',
      why: 'no other path is allowed',
    });
  });

  it('the same on both sides, whatever they told', () => {
    const address = fc.constantFrom(A, B, '192.168.1.2', '10.0.0.1', '2001:db8::1', '2001:db8::2');
    const candidates = fc.array(
      fc.record({
        type: fc.constantFrom<Candidate['type']>('host', 'reflexive', 'mapped'),
        transport: fc.constantFrom('tcp' as const, 'udp' as const),
        address,
        port: fc.integer({ min: 1, max: 65535 }),
        seenPorts: fc.constantFrom(...Object.values(PORTS)),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(candidates, candidates, fc.boolean(), (mine, theirs, relayCarries) => {
        const one = predictPath(view(mine, theirs, { relayCarries }));
        expect(predictPath(view(theirs, mine, { relayCarries })).path).toBe(one.path);
        expect(one.why).not.toBe('');
      }),
    );
  });
});
