import { describe, expect, it } from 'vitest';
import { examineAddress, examineMapping, examineUdp, type UdpView } from '../../../src/peer/doctor/examine-udp.js';
import { classifyMapping } from '../../../src/peer/paths/udp/mapping.js';

const PLACES = [54700, 54701].map((port) => ({ address: '192.0.2.2', port }));
const PROBES = { kind: 'probes' as const, probes: PLACES, probeKey: Buffer.alloc(32) };

/** Ports seen at the two places, and then from other sockets; null: no answer. */
function view(first: (number | null)[], ...others: number[]): UdpView {
  const answers = first.map((port) => (port === null ? null : { address: '198.51.100.2', port }));
  const seen = [
    ...answers.filter((each) => each !== null),
    ...others.map((port) => ({ address: '198.51.100.2', port })),
  ];
  const mapping = classifyMapping(seen.map(({ port }) => port));
  return { family: 4, socket: null as never, places: PLACES, answers, seen, mapping };
}

describe('UDP', () => {
  it('comes through if both ports answer', () => {
    expect(examineUdp(PROBES, [view([1, 1])])).toMatchObject({ status: 'ok', facts: { silent: [] } });
  });

  it.each([
    ['one port is silent', [view([1, null])], /54700 and 54701/],
    ['both are', [view([null, null])], /54700 and 54701/],
    ['no socket can be opened', [], /without UDP/],
  ])('is said not to, with what to do, where %s', (_, views, hint) => {
    expect(examineUdp(PROBES, views)).toMatchObject({
      status: 'failed',
      hint: expect.stringMatching(hint),
      exitCode: 0,
    });
  });

  it('is said not to be offered by a mediator that tells no place', () => {
    expect(examineUdp({ ...PROBES, probes: [] }, []).message).toContain('answers no UDP');
  });
});

describe('how the gateway chooses ports', () => {
  it.each([
    ['fixed', view([40000, 40000]), {}],
    ['sequential', view([40000, 40001], 40002, 40003), { step: 1 }],
    ['random', view([40000, 61234], 1500, 23456), { pool: [1024, 65535] }],
  ])('is told: %s', (mapping, seen, more) => {
    expect(examineMapping([seen])).toMatchObject({ status: 'ok', facts: { mapping, family: 'ipv4', ...more } });
  });

  it.each([[[]], [[view([40000, null])]]])('is not known with fewer than two answers', (views) => {
    expect(examineMapping(views).status).toBe('skipped');
  });
});

describe('the address', () => {
  const connection = (local: string, reflexive: string, remote = '192.0.2.2') => ({
    local: { address: local, port: 1 },
    reflexive: { address: reflexive, port: 2 },
    remote: { address: remote, port: 54700 },
  });

  it.each([
    ['behind a gateway', connection('192.168.1.2', '198.51.100.2'), true],
    ['without one', connection('198.51.100.2', '198.51.100.2'), false],
    ['on one machine', connection('127.0.0.1', '127.0.0.1', '127.0.0.1'), false],
  ])('is told %s', (_, where, behindGateway) => {
    const seen = [where.reflexive.address];
    expect(examineAddress(where, seen)).toMatchObject({ status: 'ok', facts: { public: seen, behindGateway } });
  });
});
