import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Chat } from './chat.js';
import { beginTransfer, digestReceived, throttle } from './freight.js';
import { directPath, Gate } from './gate.js';
import type { LabEvent, LabMeeting, MeetingSetup } from './meeting.js';
import { type GatewaySpec, whyNoLab } from './net.js';
import { inLab } from './visit.js';

/**
 * Networks that do worse than to translate addresses. The topology is drawn in net.ts; `a` and `b` are behind a gateway
 * each, port-restricted unless it is said.
 */
const BEHIND = { a: ['port-restricted'], b: ['port-restricted'] } as const;
const UDP_ONLY = { paths: 'udp-punch,relay' };
const TCP_ONLY = { paths: 'tcp-punch,relay' };

/** By hand, the transfer has its full size, and what depends on chance is tried often: `npm run lab -- --full`. */
const isFull = process.env.TURBO_BEEP_LAB === 'full';

const why = whyNoLab();
describe.skipIf(why !== null)(`in the lab${why ? ` (skipped: ${why})` : ''}`, () => {
  const starts: [GatewaySpec, GatewaySpec, 'udp-punch' | 'tcp-punch'][] = [
    ['port-restricted', 'port-restricted', 'udp-punch'],
    ['trap', 'trap', 'udp-punch'],
    ['trap', 'port-restricted', 'udp-punch'],
    ['trap', 'sequential', 'udp-punch'],
    ['port-restricted', 'port-restricted', 'tcp-punch'],
    ['trap', 'port-restricted', 'tcp-punch'],
  ];
  it.concurrent.each(starts)('200 ms between the first packets of the two, %s with %s: %s', async (a, b, path) => {
    await inLab({ a: [a], b: [b] }, async ({ lab, meet }) => {
      const gate = new Gate(lab);
      const meeting = await meet(path === 'udp-punch' ? UDP_ONLY : TCP_ONLY);
      expect(await gate.openAfterFirstPacket(200)).toBe(true);
      expect(await meeting.reaches(path), meeting.account()).not.toBeNull();
      await meeting.talk();
    });
  });

  const losses: [number, string, MeetingSetup][] = [
    [1, 'whatever path', {}],
    [1, 'UDP', UDP_ONLY],
    [5, 'whatever path', {}],
    [5, 'UDP', UDP_ONLY],
  ];
  it.concurrent.each(losses)('%i of 100 packets lost: a file and messages arrive by %s', async (percent, _, setup) => {
    await inLab(BEHIND, async ({ lab, meet }) => {
      for (const router of ['r2', 'r3']) lab.nft(router, lossRules(percent));
      const meeting = await meet(setup);
      expect(await reachesDirect(meeting), meeting.account()).not.toBeNull();
      await inFolder(async (folder) => {
        const sha256 = await beginTransfer(meeting, folder, 4);
        await meeting.talk();
        expect(await digestReceived(meeting, 40_000), meeting.account()).toBe(sha256);
      });
      expect(meeting.breaks()).toEqual([]);
    });
  });

  it.concurrent('a line of 10 Mbit/s: messages do not wait for the file', async () => {
    await inLab(BEHIND, async ({ lab, meet }) => {
      throttle(lab, 'a', 'eth0', '10mbit');
      throttle(lab, 'ga1', 'lan', '10mbit');
      const meeting = await meet();
      expect(await reachesDirect(meeting), meeting.account()).not.toBeNull();
      await inFolder(async (folder) => {
        const sha256 = await beginTransfer(meeting, folder, 8);
        const chat = new Chat(meeting);
        expect(await digestReceived(meeting, 40_000), meeting.account()).toBe(sha256);
        expect(await chat.stop()).toBeLessThan(3_000);
      });
      expect(meeting.breaks()).toEqual([]);
    });
  });

  it.concurrent('the mediator dies as soon as it has introduced the two: they find their direct path', async () => {
    await inLab(BEHIND, async ({ meet }) => {
      const meeting = await meet();
      const isConnected = ({ event }: LabEvent) => event === 'connected';
      await Promise.all([meeting.event('a', isConnected), meeting.event('b', isConnected)]);
      meeting.children.m?.kill('SIGKILL');
      expect(await reachesDirect(meeting), meeting.account()).not.toBeNull();
      await meeting.talk();
    });
  });

  it.concurrent.each([
    ['UDP', UDP_ONLY],
    ['TCP', TCP_ONLY],
  ])('gateways that forget what was silent for 30 s keep what a session uses by %s', async (_, setup) => {
    await inLab(BEHIND, async ({ lab, meet }) => {
      for (const gateway of ['ga1', 'gb1']) lab.run(gateway, 'sysctl', ['-qw', ...FORGETFUL]);
      const meeting = await meet(setup);
      expect(await reachesDirect(meeting), meeting.account()).not.toBeNull();
      await sleep(36_000);
      const askedAt = meeting.elapsedMs;
      await meeting.talk();
      expect(meeting.elapsedMs - askedAt).toBeLessThan(3_000);
      expect(meeting.breaks()).toEqual([]);
      expect(meeting.pathOf('b')).toMatch(/punch/);
    });
  });

  it.concurrent('a transfer begins on the relay, moves to a direct path, back when that is cut, and again to a direct one', async () => {
    await inLab(BEHIND, async ({ lab, meet }) => {
      throttle(lab, 'a', 'eth0', isFull ? '120mbit' : '16mbit');
      const { cut, mend } = directPath(lab);
      cut();
      const meeting = await meet();
      expect(await meeting.reaches('relay')).not.toBeNull();
      await inFolder(async (folder) => {
        const sha256 = await beginTransfer(meeting, folder, isFull ? 1024 : 150);
        const chat = new Chat(meeting);
        mend();
        expect(await meeting.isOn(/punch/, 60_000), meeting.account()).toBe(true);
        await sleep(4_000);
        cut();
        const cutAt = meeting.elapsedMs;
        expect(await meeting.isOn(/relay/, 30_000), meeting.account()).toBe(true);
        expect(meeting.elapsedMs - cutAt).toBeLessThan(10_000);
        mend();
        expect(await meeting.isOn(/punch/, 60_000), meeting.account()).toBe(true);
        expect(
          meeting.events.b.some(({ event }) => event === 'file'),
          'it was still on its way',
        ).toBe(false);
        expect(await digestReceived(meeting, 150_000), meeting.account()).toBe(sha256);
        expect(await chat.stop()).toBeLessThan(10_000);
      });
    });
  }, 400_000);

  if (isFull) {
    it('ports at random against a port-restricted gateway, 20 times by UDP: direct within 10 s in 19', async () => {
      const timesMs: number[] = [];
      for (let run = 0; run < 20; run++) {
        await inLab({ a: ['port-restricted'], b: ['random'] }, async ({ meet }) => {
          const meeting = await meet(UDP_ONLY);
          const online = await meeting.event('b', ({ event }) => event === 'online');
          const punched = await reachesDirect(meeting);
          timesMs.push(Math.round((punched?.atMs ?? Number.POSITIVE_INFINITY) - (online?.atMs ?? 0)));
        });
      }
      console.log(`since b was online: ${timesMs.sort((a, b) => a - b).join(', ')} ms`);
      expect(timesMs.filter((ms) => ms < 10_000).length).toBeGreaterThanOrEqual(19);
    }, 900_000);
  }
});

const FORGETFUL = [
  'net.netfilter.nf_conntrack_udp_timeout=30',
  'net.netfilter.nf_conntrack_udp_timeout_stream=30',
  'net.netfilter.nf_conntrack_tcp_timeout_established=30',
];

function lossRules(percent: number): string {
  return `table ip loss {
  chain forward {
    type filter hook forward priority 0;
    numgen random mod 100 < ${percent} drop
  }
}`;
}

function reachesDirect(meeting: LabMeeting): Promise<LabEvent | null> {
  return meeting.event('b', ({ path }) => path === 'tcp-punch' || path === 'udp-punch', 25_000);
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-scenario-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
