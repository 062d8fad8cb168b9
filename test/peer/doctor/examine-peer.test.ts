import { describe, expect, it } from 'vitest';
import { findingOf } from '../../../src/peer/doctor/examine-peer.js';
import type { Encounter, LinkSeen } from '../../../src/peer/doctor/peer-meeting.js';
import { ExitCode } from '../../../src/protocol/errors.js';

type Met = Extract<Encounter, { kind: 'met' }>;

const relay: LinkSeen = { path: 'relay', remote: '192.0.2.2:54700', sameNetwork: false, rttMs: 30.2, group: 'X25519' };

function met(change: Partial<Met>): Met {
  const prediction = { path: 'relay', why: 'both gateways take another port for each destination' } as const;
  return { kind: 'met', link: null, prediction, attempts: [], impostor: false, ...change };
}

describe('what came of meeting the peer', () => {
  it('is well where it did not come', () => {
    expect(findingOf({ kind: 'absent' }, 'bob')).toMatchObject({ status: 'skipped', exitCode: ExitCode.done });
  });

  it('is the path, and whether it was foreseen', () => {
    const finding = findingOf(met({ link: relay }), 'bob');
    expect(finding).toMatchObject({ status: 'ok', facts: { predicted: 'relay', path: 'relay', rttMs: 30.2 } });
    expect(finding.message).toContain('you reach bob by relay, 31 ms away; as foreseen');
    const better = findingOf(met({ link: { ...relay, path: 'tcp-punch' } }), 'bob');
    expect(better.message).toContain('relay was foreseen');
    expect(better.hint).toBe('');
  });

  it('tells of the relay how every other path ended, as letters', () => {
    const attempts = [
      { path: 'tcp-direct', remote: '203.0.113.2:1', outcome: 'no answer' },
      { path: 'udp-punch', remote: '203.0.113.2:2', outcome: 'did not open\x1b[2J' },
    ] as const;
    const { hint } = findingOf(met({ link: relay, attempts: [...attempts] }), 'bob');
    expect(hint).toContain('tcp-direct: no answer; udp-punch: did not open\ufffd[2J');
  });

  it('is an exit code where nothing opened: for the peer, or for someone else in its place', () => {
    const attempts: Met['attempts'] = [{ path: 'relay', remote: '192.0.2.2:54700', outcome: 'connected' }];
    expect(findingOf(met({ attempts }), 'bob')).toMatchObject({ status: 'failed', exitCode: ExitCode.peerAbsent });
    expect(findingOf(met({ attempts }), 'bob').message).toContain('carries no sessions');
    expect(findingOf(met({}), 'bob').message).toContain('nothing came through');
    expect(findingOf(met({ impostor: true }), 'bob')).toMatchObject({ status: 'failed', exitCode: ExitCode.impostor });
  });
});
