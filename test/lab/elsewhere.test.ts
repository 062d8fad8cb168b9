import { describe, expect, it } from 'vitest';
import { addIPv6, MEDIATOR_IPV6 } from './ipv6.js';
import type { MeetingSetup } from './meeting.js';
import { type Lab, MEDIATOR_ADDRESS, MEDIATOR_AT_HOME, type Wiring, whyNoLab } from './net.js';
import { PATHS } from './networks.js';
import { inLab } from './visit.js';

/** Networks that nobody has listed, and that somebody sits behind. The topology is drawn in net.ts. */
interface Place {
  name: string;
  wiring: Wiring;
  best: (typeof PATHS)[number];
  setup?: MeetingSetup;
  prepare?: (lab: Lab) => void;
}

const UDP_ONLY = { paths: 'udp-punch,relay' };
const PORT_RESTRICTED = { a: ['port-restricted'], b: ['port-restricted'] } as const;
const AT_HOME = { mediatorAddress: MEDIATOR_AT_HOME };

const PLACES: Place[] = [
  {
    name: 'a gateway that counts by two, with a port-restricted one, by UDP',
    wiring: { a: [{ kind: 'sequential', step: 2 }], b: ['port-restricted'] },
    setup: UDP_ONLY,
    best: 'udp-punch',
  },
  {
    name: 'gateways that count by five and by two, by UDP',
    wiring: { a: [{ kind: 'sequential', step: 5 }], b: [{ kind: 'sequential', step: 2 }] },
    setup: UDP_ONLY,
    best: 'udp-punch',
  },
  {
    name: 'ports at random, open to whatever the address called sends, with a random one',
    wiring: { a: ['random-open'], b: ['random'] },
    best: 'relay',
  },
  {
    name: 'ports at random, open to whatever the address called sends, with a port-restricted one',
    wiring: { a: ['random-open'], b: ['port-restricted'] },
    best: 'udp-punch',
  },
  {
    name: 'ports at random behind ports at random, with a full cone, by UDP',
    wiring: { a: ['random', 'random'], b: ['full-cone'] },
    setup: UDP_ONLY,
    best: 'udp-punch',
  },
  {
    name: 'two gateways in a row on both sides that count, by UDP',
    wiring: { a: ['port-restricted', 'sequential'], b: ['remapping', 'port-restricted'] },
    setup: UDP_ONLY,
    best: 'udp-punch',
  },
  { name: 'two traps', wiring: { a: ['trap'], b: ['trap'] }, best: 'udp-punch' },
  {
    name: 'nothing gets out but to the mediator, on one side',
    wiring: { a: ['mediator-only'], b: [] },
    best: 'relay',
  },
  {
    name: 'no UDP here, no TCP connection from outside there',
    wiring: { a: ['udp-blocked'], b: ['tcp-blocked'] },
    best: 'tcp-punch',
  },
  {
    name: 'IPv6 alone here, both there',
    wiring: PORT_RESTRICTED,
    prepare: (lab) => withoutIPv4(lab, 'a'),
    setup: { mediatorAddress: { a: MEDIATOR_IPV6, b: MEDIATOR_ADDRESS } },
    best: 'udp-punch',
  },
  {
    name: 'IPv6 alone here, IPv4 alone there',
    wiring: PORT_RESTRICTED,
    prepare: (lab) => {
      withoutIPv4(lab, 'a');
      lab.run('b', 'ip', ['-6', 'addr', 'flush', 'dev', 'eth0']);
    },
    setup: { mediatorAddress: { a: MEDIATOR_IPV6, b: MEDIATOR_ADDRESS } },
    best: 'relay',
  },
  {
    name: 'the mediator behind the gateway of one, whose friend is public',
    wiring: { a: ['port-restricted'], b: [], mediatorAtHome: true },
    setup: AT_HOME,
    best: 'tcp-direct',
  },
  {
    name: 'the mediator behind the gateway of one, whose friend is behind another',
    wiring: { ...PORT_RESTRICTED, mediatorAtHome: true },
    setup: AT_HOME,
    best: 'tcp-punch',
  },
  {
    name: 'the mediator behind the gateway of one, whose friend is behind another, by UDP',
    wiring: { ...PORT_RESTRICTED, mediatorAtHome: true },
    setup: { ...AT_HOME, ...UDP_ONLY },
    best: 'udp-punch',
  },
];

const why = whyNoLab();
describe.skipIf(why !== null)(`a session elsewhere${why ? ` (skipped: ${why})` : ''}`, () => {
  for (const { name, wiring, setup, prepare, best } of PLACES) {
    it.concurrent(`${name}: ${best}`, async () => {
      await inLab(wiring, async ({ lab, meet }) => {
        prepare?.(lab);
        const meeting = await meet(setup);
        const goodEnough = new RegExp(PATHS.slice(0, PATHS.indexOf(best) + 1).join('|'));
        expect(await meeting.isOn(goodEnough, 30_000), meeting.account()).toBe(true);
        await meeting.talk();
        expect(meeting.breaks()).toEqual([]);
      });
    });
  }
});

function withoutIPv4(lab: Lab, side: 'a' | 'b'): void {
  addIPv6(lab);
  lab.run(side, 'ip', ['-4', 'addr', 'flush', 'dev', 'eth0']);
}
