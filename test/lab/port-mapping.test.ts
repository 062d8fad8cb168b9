import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXTERNAL, hasMiniupnpd, LANGUAGES, MappingGateway, type MappingLanguage } from './mapping-gateway.js';
import { LabMeeting } from './meeting.js';
import { Lab, whyNoLab } from './net.js';

/**
 * Both peers are behind gateways that choose a port at random for each destination, so that nothing can be punched. That
 * of a maps ports if it is asked:
 *
 *   a 192.168.1.2 ── 192.168.1.1, miniupnpd, 20.0.1.2 ── … ── 203.0.113.2 ── b 192.168.2.2
 */
const why = whyNoLab() ?? (hasMiniupnpd() ? null : 'the lab needs miniupnpd for this');
const isDirect = ({ path }: { path?: string }) => path === 'tcp-direct';

describe.skipIf(why !== null)(`a gateway that maps ports${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let gateway: MappingGateway;
  let meeting: LabMeeting;

  beforeEach(() => {
    lab = new Lab({ a: ['random'], b: ['random'] });
    gateway = new MappingGateway(lab);
  });

  afterEach(async () => {
    await meeting.stop();
    gateway.stop();
    lab.demolish();
  });

  async function meet(...peerOptions: string[]): Promise<void> {
    meeting = new LabMeeting(lab, { peerOptions });
    await meeting.start();
  }

  /** Those by which b reached a. */
  async function leasesInUse() {
    const path = await meeting.event('b', isDirect);
    return gateway.leases().filter(({ external }) => path?.remote === `${EXTERNAL}:${external}`);
  }

  it.each(Object.keys(LANGUAGES) as MappingLanguage[])(
    'lets the peer in when it is asked by %s, and has nothing left of it when both have gone',
    async (language) => {
      await gateway.start(language);
      await meet();
      expect(await meeting.reaches('tcp-direct')).not.toBeNull();
      expect(await leasesInUse()).toHaveLength(1);
      meeting.command('b', { command: 'message', text: 'through the gateway' });
      expect(await meeting.event('a', ({ text }) => text === 'through the gateway')).not.toBeNull();
      await meeting.stop();
      expect(gateway.leases()).toEqual([]);
    },
  );

  it('keeps what is in use, also longer than its leases, and nothing else', async () => {
    await gateway.start('PCP', 8);
    await meet();
    expect(await meeting.reaches('tcp-direct')).not.toBeNull();
    const [first] = await leasesInUse();
    const isLater = async () => expect((await leasesInUse())[0]?.endsAt).toBeGreaterThan((first?.endsAt ?? 0) + 6);
    await vi.waitFor(isLater, { timeout: 20_000 });
    // The other one is for meeting without the mediator; that of UDP went when the race was over.
    expect(gateway.leases().map(({ transport }) => transport)).toEqual(['TCP', 'TCP']);

    meeting.children.b?.kill('SIGTERM');
    expect(await meeting.event('a', ({ event }) => event === 'disconnected')).not.toBeNull();
    await vi.waitFor(async () => expect(await leasesInUse()).toEqual([]), { timeout: 5_000 });
  });

  it('lets UDP in as well', async () => {
    await gateway.start('PCP');
    await meet('--paths', 'udp-punch,relay');
    expect(await meeting.reaches('udp-punch')).not.toBeNull();
    const [lease] = gateway.leases();
    expect(lease?.transport).toBe('UDP');
    expect((await meeting.event('b', ({ path }) => path === 'udp-punch'))?.remote).toBe(
      `${EXTERNAL}:${lease?.external}`,
    );
  });

  it('lets two who have met find each other again without the mediator', async () => {
    await gateway.start('PCP');
    await meet();
    expect(await meeting.reaches('tcp-direct')).not.toBeNull();
    // One for the path, and one for the next time.
    await vi.waitFor(() => expect(gateway.leases().filter(({ transport }) => transport === 'TCP')).toHaveLength(2), {
      timeout: 5_000,
    });
    meeting.children.m?.kill('SIGKILL');
    for (const side of ['a', 'b'] as const) {
      expect(await meeting.event(side, ({ event }) => event === 'offline')).not.toBeNull();
      meeting.children[side]?.kill('SIGTERM');
      expect(await meeting.event(side, ({ event }) => event === 'bye')).not.toBeNull();
      meeting.events[side].length = 0;
    }
    meeting.restart('a');
    meeting.restart('b');
    expect(await meeting.reaches('tcp-direct')).not.toBeNull();
  });

  it('is not asked under --no-port-mapping', async () => {
    await gateway.start('PCP');
    await meet('--no-port-mapping');
    expect(await meeting.reaches('relay')).not.toBeNull();
    // Longer than mapping takes.
    expect(await meeting.event('b', isDirect, 4_000)).toBeNull();
    expect(gateway.leases()).toEqual([]);
  });

  it('and a host on the LAN that answers in its place with rubbish end no session', async () => {
    await gateway.start('UPnP');
    const rubbish = lab.spawn('ga1', process.execPath, ['-e', RUBBISH]);
    await meet();
    expect(await meeting.reaches('relay')).not.toBeNull();
    // The language's thread may die of it, again and again; a mapping is not promised.
    await meeting.event('b', isDirect, 5_000);
    meeting.command('a', { command: 'message', text: 'alive' });
    expect(await meeting.event('b', ({ text }) => text === 'alive')).not.toBeNull();
    expect(rubbish.exitCode).toBeNull();
    expect(meeting.errors).toEqual([]);
  });
});

/** What makes the library throw where nobody catches: an empty NAT-PMP answer, an SSDP message of an unknown kind. */
const RUBBISH = `
const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
socket.bind(0, '192.168.1.1', () => {
  socket.setMulticastInterface('192.168.1.1');
  setInterval(() => {
    for (const bytes of [0, 2]) socket.send(Buffer.alloc(bytes, 129), 5350, '192.168.1.2');
    for (const to of ['239.255.255.250', '192.168.1.2']) socket.send('RUBBISH * HTTP/1.1\\r\\n\\r\\n', 1900, to);
  }, 2);
});
`;
