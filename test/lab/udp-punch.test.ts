import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { addIPv6, MEDIATOR_IPV6 } from './ipv6.js';
import { LabMeeting, type MeetingSetup } from './meeting.js';
import { type GatewaySpec, Lab, type Wiring, whyNoLab } from './net.js';

/** UDP through every kind of gateway. The lab's topology is drawn in net.ts, the gateways are described in gateways.ts. */
const why = whyNoLab();
describe.skipIf(why !== null)(`udp-punch in the lab${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab | null = null;
  let meeting: LabMeeting | null = null;

  afterEach(async () => {
    try {
      await meeting?.stop();
    } finally {
      lab?.demolish();
    }
  });

  async function meet(wiring: Wiring, setup: MeetingSetup = {}, prepare: (built: Lab) => void = () => {}) {
    lab = new Lab(wiring);
    prepare(lab);
    meeting = new LabMeeting(lab, { paths: 'udp-punch,relay', ...setup });
    await meeting.start();
    return { lab, meeting };
  }

  async function expectPunched(wiring: Wiring, setup: MeetingSetup = {}, prepare?: (built: Lab) => void) {
    const { meeting: talking } = await meet(wiring, setup, prepare);
    expect(await talking.reaches('udp-punch', 20_000), talking.errors.join('')).not.toBeNull();
    talking.command('a', { command: 'message', text: 'straight through' });
    expect(await talking.event('b', ({ text }) => text === 'straight through')).not.toBeNull();
    talking.command('b', { command: 'message', text: 'and back' });
    expect(await talking.event('a', ({ text, from }) => text === 'and back' && from === 'peer')).not.toBeNull();
    expect([...talking.events.a, ...talking.events.b].filter(({ event }) => event === 'disconnected')).toEqual([]);
    return talking;
  }

  const pierced: [GatewaySpec[], GatewaySpec[]][] = [
    [['port-restricted'], ['port-restricted']],
    [['remapping'], ['remapping']],
    [['full-cone'], ['random']],
    [['address-restricted'], ['random']],
    [['port-restricted'], ['sequential']],
    [['sequential'], ['sequential']],
    [['port-restricted'], ['random']],
    [['random'], ['remapping']],
    [[], ['random']],
    [['random-pool'], ['random-pool']],
    [['port-restricted', 'port-restricted'], ['port-restricted']],
    [['port-restricted', 'random'], ['port-restricted']],
    [['trap'], ['trap']],
    [['trap'], ['random']],
  ];
  const nameOf = (gateways: GatewaySpec[]) => gateways.join(' behind ') || 'no gateway';

  it.each(pierced.map(([a, b]) => ({ a, b, pair: `${nameOf(a)} with ${nameOf(b)}` })))('$pair', async ({ a, b }) => {
    await expectPunched({ a, b });
  });

  it.each([50, 300, 5000])('a gateway that chooses at random among %i ports', async (pool) => {
    await expectPunched({ a: ['port-restricted'], b: [{ kind: 'random-pool', pool }] });
  });

  it('two behind one gateway find each other without it', async () => {
    const talking = await expectPunched({ a: [], b: [], shared: ['random'] });
    expect(talking.events.a.findLast(({ path }) => path === 'udp-punch')?.remote).toMatch(/^100\.64\.0\.3:/);
  });

  it('two behind one provider’s gateway that leads back inside', async () => {
    await expectPunched({ a: ['port-restricted'], b: ['port-restricted'], shared: ['hairpin'] });
  });

  it('IPv6 through a firewall on each side', async () => {
    const wiring: Wiring = { a: ['udp-blocked'], b: ['udp-blocked'] };
    const talking = await expectPunched(wiring, { mediatorAddress: MEDIATOR_IPV6 }, addIPv6);
    expect(talking.events.a.findLast(({ path }) => path === 'udp-punch')?.remote).toMatch(/^\[2001:db8:b:1::2\]:/);
  });

  it('one packet in twenty lost', async () => {
    await expectPunched({ a: ['port-restricted'], b: ['random'] }, {}, (built) =>
      built.nft(
        'r3',
        `table ip loss {
  chain forward {
    type filter hook forward priority 0;
    meta l4proto udp numgen random mod 100 < 5 drop
  }
}`,
      ),
    );
  });

  it.each([
    ['random', 'random'],
    ['udp-blocked', 'full-cone'],
  ] as const)('%s with %s cannot be pierced: the relay carries the session', async (a, b) => {
    const { meeting: talking } = await meet({ a: [a], b: [b] });
    expect(await talking.reaches('relay')).not.toBeNull();
    talking.command('a', { command: 'message', text: 'round about' });
    expect(await talking.event('b', ({ text }) => text === 'round about')).not.toBeNull();
  });

  it('a peer that never answers gets a bounded number of packets, and nobody else gets any', async () => {
    const { lab: built, meeting: talking } = await meet({ a: ['port-restricted'], b: ['random'] }, {}, (fresh) =>
      fresh.nft('r1', COUNTERS),
    );
    expect(await talking.event('a', ({ event }) => event === 'connected')).not.toBeNull();
    const counts = () => packetCounts(built.run('r1', 'nft', ['list', 'table', 'ip', 'count']));
    while (counts()[0] === 0) await sleep(10);
    talking.children.b?.kill('SIGSTOP');
    // The longest that anything is sent.
    await sleep(13_000);
    talking.children.b?.kill('SIGCONT');
    const [toPeer = 0, toMediator = 0, toOthers = 0] = counts();
    expect(toPeer).toBeGreaterThan(1_000);
    expect(toPeer).toBeLessThanOrEqual(5_000);
    expect(toMediator).toBeLessThanOrEqual(64);
    expect(toOthers).toBe(0);
  });
});

const COUNTERS = `
table ip count {
  chain forward {
    type filter hook forward priority 0;
    iifname "left" meta l4proto udp ip daddr 203.0.113.2 counter accept
    iifname "left" meta l4proto udp ip daddr 192.0.2.2 counter accept
    iifname "left" meta l4proto udp ip daddr != 192.168.0.0/16 counter
  }
}`;

function packetCounts(listing: string): number[] {
  return [...listing.matchAll(/counter packets (\d+)/g)].map(([, packets]) => Number(packets));
}
