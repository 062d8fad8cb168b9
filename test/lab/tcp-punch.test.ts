import { afterEach, describe, expect, it } from 'vitest';
import type { Gateway } from './gateways.js';
import { LabMeeting } from './meeting.js';
import { Lab, whyNoLab } from './net.js';

/**
 * TCP through two gateways that let in nobody who was not called: both sides dial at once, from the ports of their
 * connections to the mediator. The lab's topology is drawn in net.ts.
 */
const why = whyNoLab();
describe.skipIf(why !== null)(`tcp-punch in the lab${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab | null = null;
  let meeting: LabMeeting | null = null;

  afterEach(async () => {
    try {
      await meeting?.stop();
    } finally {
      lab?.demolish();
    }
  });

  async function meet(a: Gateway, b: Gateway, skewMs = 0): Promise<LabMeeting> {
    lab = new Lab({ a: [a], b: [b] });
    meeting = new LabMeeting(lab, { paths: 'tcp-punch,relay', skewMs });
    await meeting.start();
    return meeting;
  }

  const pairs: [Gateway, Gateway][] = [
    ['port-restricted', 'port-restricted'],
    ['full-cone', 'port-restricted'],
    // The first one answers a call that it did not expect with a reset.
    ['trap', 'port-restricted'],
  ];

  it.each(pairs)('%s with %s: the session moves from the relay to a punched connection', async (a, b) => {
    const talking = await meet(a, b);
    const reachedAtMs = await talking.reaches('tcp-punch', 20_000);
    expect(reachedAtMs, talking.errors.join('')).not.toBeNull();
    expect(talking.events.a.find(({ event }) => event === 'connected')?.path).toMatch(/relay|tcp-punch/);

    talking.command('a', { command: 'message', text: 'straight through' });
    expect(await talking.event('b', ({ text }) => text === 'straight through')).not.toBeNull();
    expect(await talking.event('a', ({ event }) => event === 'delivered')).not.toBeNull();
    expect([...talking.events.a, ...talking.events.b].filter(({ event }) => event === 'disconnected')).toEqual([]);
  });

  it('a mapping that differs for each destination leaves the session on the relay, and it goes on there', async () => {
    const talking = await meet('random', 'random');
    expect(await talking.reaches('relay')).not.toBeNull();
    talking.command('a', { command: 'message', text: 'round about' });
    expect(await talking.event('b', ({ text }) => text === 'round about')).not.toBeNull();
  });
});
