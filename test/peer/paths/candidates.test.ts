import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUsable } from '../../../src/peer/paths/addresses.js';
import { guessBehindMediator, vetCandidates } from '../../../src/peer/paths/candidates.js';
import { MAX_CANDIDATES, MAX_SEEN_PORTS } from '../../../src/protocol/constants.js';
import type { Candidate } from '../../../src/protocol/messages.js';

const host: Candidate = { type: 'host', transport: 'tcp', address: '192.0.2.1', port: 4000, seenPorts: [] };

describe('vetCandidates', () => {
  it('keeps what may be tried, in the order told', () => {
    const told: Candidate[] = [
      host,
      { ...host, type: 'reflexive', port: 1 },
      { ...host, type: 'mapped', port: 65535 },
      { ...host, type: 'peer-reflexive', address: '2001:db8::1' },
      { ...host, transport: 'udp' },
    ];
    expect(vetCandidates(told, false)).toEqual(told);
  });

  it('tries no place twice, whatever it is called', () => {
    expect(vetCandidates([host, { ...host, type: 'reflexive' }, host], false)).toEqual([host]);
  });

  it('tries no more than are allowed, and counts only those that are usable', () => {
    const unusable = Array.from({ length: 100 }, (_, port) => ({ ...host, address: '224.0.0.1', port: port + 1 }));
    const usable = Array.from({ length: 100 }, (_, port) => ({ ...host, port: port + 1 }));
    expect(vetCandidates([...unusable, ...usable], false)).toEqual(usable.slice(0, MAX_CANDIDATES));
  });

  it.each([0, -1, 65536, 1.5, Number.NaN])('refuses port %d', (port) => {
    expect(vetCandidates([{ ...host, port }], true)).toEqual([]);
  });

  it('refuses seen ports that are none, and more of them than are allowed', () => {
    const seen = (seenPorts: number[]) => vetCandidates([{ ...host, seenPorts }], true);
    expect(seen([1, 65535])).toHaveLength(1);
    expect(seen(Array<number>(MAX_SEEN_PORTS).fill(7))).toHaveLength(1);
    expect(seen(Array<number>(MAX_SEEN_PORTS + 1).fill(7))).toEqual([]);
    expect([...seen([0]), ...seen([65536]), ...seen([1.5])]).toEqual([]);
  });

  it('refuses types and transports that it does not know', () => {
    const strange = [
      { ...host, type: 'relay' },
      { ...host, type: '' },
      { ...host, transport: 'sctp' },
      { ...host, transport: '' },
    ] as unknown as Candidate[];
    expect(vetCandidates(strange, true)).toEqual([]);
  });

  it('refuses loopback unless the mediator is on loopback', () => {
    const loopback = { ...host, address: '127.0.0.1' };
    expect(vetCandidates([loopback], false)).toEqual([]);
    expect(vetCandidates([loopback], true)).toEqual([loopback]);
  });

  it('holds its bounds for whatever a peer tells', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constantFrom('127.0.0.1', '::1', '10.0.0.1'));
    const candidate = fc.record({
      type: fc.oneof(fc.constantFrom('host', 'reflexive', 'mapped'), fc.string()),
      transport: fc.constantFrom('tcp', 'udp', 'sctp'),
      address,
      port: fc.integer({ min: -1, max: 70_000 }),
      seenPorts: fc.array(fc.integer({ min: 0, max: 70_000 }), { maxLength: 3 }),
    }) as fc.Arbitrary<Candidate>;
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 60 }), fc.boolean(), (told, loopbackAllowed) => {
        const vetted = vetCandidates(told, loopbackAllowed);
        expect(vetted.length).toBeLessThanOrEqual(MAX_CANDIDATES);
        expect(new Set(vetted.map((each) => `${each.transport} ${each.address} ${each.port}`)).size).toBe(
          vetted.length,
        );
        for (const each of vetted) expect(isUsable(each.address, loopbackAllowed)).toBe(true);
      }),
    );
  });
});

describe('guessBehindMediator', () => {
  const told: Candidate = {
    type: 'reflexive',
    transport: 'tcp',
    address: '192.168.1.2',
    port: 5000,
    seenPorts: [5000],
  };

  it('looks for a peer at home with the mediator behind the address of the two', () => {
    expect(guessBehindMediator([told, host], '198.51.100.2')).toEqual([
      { type: 'peer-reflexive', transport: 'tcp', address: '198.51.100.2', port: 5000, seenPorts: [] },
    ]);
  });

  it.each<[string, Partial<Candidate>, string]>([
    ['when we are at home there too', {}, '192.168.3.2'],
    ['for an address that the internet knows', { address: '203.0.113.2' }, '198.51.100.2'],
    ['for an interface', { type: 'host' }, '198.51.100.2'],
    ['in the other family', {}, '2001:db8::1'],
    ['for what is no address', { address: 'x' }, '198.51.100.2'],
  ])('guesses nothing %s', (_, more, mediator) => {
    expect(guessBehindMediator([{ ...told, ...more }], mediator)).toEqual([]);
  });
});
