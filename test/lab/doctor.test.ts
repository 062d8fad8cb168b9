import { afterEach, describe, expect, it } from 'vitest';
import { hasMiniupnpd, MappingGateway } from './mapping-gateway.js';
import { type GatewaySpec, whyNoLab } from './net.js';
import { Practice } from './practice.js';

const why = whyNoLab();

describe.skipIf(why !== null)(`the doctor behind gateways${why ? ` (skipped: ${why})` : ''}`, () => {
  let practice: Practice;
  afterEach(() => practice.stop());

  const cases: [GatewaySpec, GatewaySpec, string, object, object][] = [
    ['hairpin', 'port-restricted', 'tcp-punch', { mapping: 'fixed' }, { mapping: 'fixed' }],
    ['random', 'port-restricted', 'udp-punch', { mapping: 'random' }, { mapping: 'fixed' }],
    ['random', 'random', 'relay', { mapping: 'random' }, { mapping: 'random' }],
  ];

  it.each(cases)('%s and %s: it foresees %s, and sees it', async (a, b, path, mappingA, mappingB) => {
    practice = new Practice({ a: [a], b: [b] });
    await practice.startMediator();
    const [atA, atB] = await practice.both();
    expect(atA.mapping?.facts).toMatchObject(mappingA);
    expect(atB.mapping?.facts).toMatchObject(mappingB);
    for (const diagnosis of [atA, atB]) {
      expect(diagnosis.code).toBe(0);
      expect(diagnosis.peer?.facts).toMatchObject({ predicted: path, path });
      expect(diagnosis.address?.facts).toMatchObject({ behindGateway: true });
      expect(diagnosis['port-mapping']).toMatchObject({ status: 'failed', hint: expect.stringContaining('UPnP') });
    }
    expect(atA.address?.message).toContain('198.51.100.2');
    expect(atA.hairpin?.status).toBe(a === 'hairpin' ? 'ok' : 'skipped');
    expect(atB.hairpin?.status).toBe(b === 'random' ? 'skipped' : 'failed');
  });

  it('says that UDP does not come through, and that other paths will do', async () => {
    practice = new Practice({ a: ['udp-blocked'], b: ['port-restricted'] });
    await practice.startMediator();
    const [atA, atB] = await practice.both();
    expect(atA.udp).toMatchObject({ status: 'failed', hint: expect.stringContaining('54700 and 54701') });
    expect(atA.mapping?.status).toBe('skipped');
    expect(atA.peer?.facts).toMatchObject({ predicted: 'tcp-punch', path: 'tcp-punch' });
    expect(atB.udp?.status).toBe('ok');
    expect([atA.code, atB.code]).toEqual([0, 0]);
  });

  it.skipIf(!hasMiniupnpd())('sees that a router that maps ports opens the way, and gives the port back', async () => {
    practice = new Practice({ a: ['random'], b: ['random'] });
    const gateway = new MappingGateway(practice.lab);
    try {
      await gateway.start('PCP');
      await practice.startMediator();
      const [atA, atB] = await practice.both();
      expect(atA['port-mapping']?.facts).toMatchObject({ by: 'PCP', external: expect.stringMatching(/^20\.0\.1\.2:/) });
      expect(atB.peer?.facts).toMatchObject({ path: 'tcp-direct', remote: expect.stringMatching(/^20\.0\.1\.2:/) });
      expect(gateway.leases()).toEqual([]);
    } finally {
      gateway.stop();
    }
  });
});
