import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { PortRequest } from '../../../../src/peer/paths/port-mapping/lease.js';
import { MappedCandidates } from '../../../../src/peer/paths/port-mapping/mapped-candidates.js';
import { MappedPort } from '../../../../src/peer/paths/port-mapping/mapped-port.js';
import type { Candidate } from '../../../../src/protocol/messages.js';

const host = (address: string, port: number, transport: 'tcp' | 'udp' = 'tcp'): Candidate => ({
  type: 'host',
  transport,
  address,
  port,
  seenPorts: [],
});

/** A gateway that grants everything at once, or when it is told to. */
class Gateway {
  readonly asked: PortRequest[] = [];
  readonly ended: number[] = [];
  readonly told: Candidate[] = [];
  answer: Promise<void> = Promise.resolve();
  readonly candidates: MappedCandidates;

  constructor(reflexive = '198.51.100.2') {
    this.candidates = new MappedCandidates({
      reflexive,
      tell: (candidate) => this.told.push(candidate),
      mapPort: async ({ transport, internalPort }) => {
        this.asked.push({ transport, internalPort });
        await this.answer;
        const lease = {
          external: { address: '198.51.100.2', port: internalPort + 1 },
          lifetimeMs: 3_600_000,
          renew: async () => 3_600_000,
          end: async () => {
            this.ended.push(internalPort);
          },
        };
        return new MappedPort(lease, 'PCP', () => {});
      },
    });
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('what a path listens on', () => {
  it('is mapped once for each transport and port, and told when it is', async () => {
    const gateway = new Gateway();
    gateway.candidates.map([host('192.168.1.2', 4000), host('10.1.1.1', 4000), host('192.168.1.2', 5000, 'udp')]);
    expect(gateway.told).toEqual([]);
    await settled();
    expect(gateway.asked).toEqual([
      { transport: 'tcp', internalPort: 4000 },
      { transport: 'udp', internalPort: 5000 },
    ]);
    expect(gateway.told).toEqual([
      { type: 'mapped', transport: 'tcp', address: '198.51.100.2', port: 4001, seenPorts: [] },
      { type: 'mapped', transport: 'udp', address: '198.51.100.2', port: 5001, seenPorts: [] },
    ]);
  });

  it.each([
    ['has the address that the mediator sees, and no gateway', [host('198.51.100.2', 4000), host('10.0.0.1', 4000)]],
    ['is IPv6', [host('2001:db8::2', 4000)]],
    ['is on loopback', [host('127.0.0.1', 4000)]],
    ['is not its own', [{ ...host('198.51.100.9', 4000), type: 'reflexive' as const }]],
  ])('is not mapped if it %s', async (_, gathered) => {
    const gateway = new Gateway();
    gateway.candidates.map(gathered);
    await settled();
    expect(gateway.asked).toEqual([]);
  });

  it('is given back when the race is over', async () => {
    const gateway = new Gateway();
    gateway.candidates.map([host('192.168.1.2', 4000)]);
    await settled();
    gateway.candidates.stop();
    gateway.candidates.stop();
    await settled();
    expect(gateway.ended).toEqual([4000]);
  });

  it('is given back, and never told, if it is mapped only then', async () => {
    const gateway = new Gateway();
    let grant: () => void = () => {};
    gateway.answer = new Promise((resolve) => {
      grant = resolve;
    });
    gateway.candidates.map([host('192.168.1.2', 4000)]);
    gateway.candidates.stop();
    grant();
    await settled();
    expect(gateway.told).toEqual([]);
    expect(gateway.ended).toEqual([4000]);
  });

  it('stays mapped for as long as a link runs by its transport', async () => {
    const gateway = new Gateway();
    gateway.candidates.map([host('192.168.1.2', 4000), host('192.168.1.2', 5000, 'udp')]);
    await settled();
    const [one, other] = [new PassThrough(), new PassThrough()];
    gateway.candidates.keepFor('tcp', one);
    gateway.candidates.keepFor('tcp', other);
    gateway.candidates.stop();
    one.destroy();
    await settled();
    expect(gateway.ended).toEqual([5000]);
    other.destroy();
    await settled();
    expect(gateway.ended).toEqual([5000, 4000]);
  });
});
