import { describe, expect, it } from 'vitest';
import { addIPv6, MEDIATOR_IPV6 } from './ipv6.js';
import type { LabMeeting } from './meeting.js';
import { whyNoLab } from './net.js';
import { PAIRS, PATHS, type PairOfNetworks } from './networks.js';
import { inLab } from './visit.js';

/**
 * The real programs in every pair of networks. Each has a lab of its own (net.ts builds it, gateways.ts says what each
 * gateway does):
 *
 *   a ── [gateways of a] ── r1 ── r2 ── r3 ── r4 ── [gateways of b] ── b
 *   192.168.1.2   198.51.100.2    │         203.0.113.2    192.168.2.2
 *                                 m 192.0.2.2, the mediator
 *
 * `npm run lab` prints the path that each pair ends up on, and the time that it took.
 */
declare module 'vitest' {
  interface TaskMeta {
    /** For the table; times in milliseconds since the peers were started, the programs' own start included. */
    lab?: { pair: string; path: string; firstMs: number; pathMs: number };
  }
}

/** The birthday takes seconds, and tries again if it had no luck. */
const BEST_PATH_MS = 30_000;

const why = whyNoLab();
describe.skipIf(why !== null)(`a session in every pair of networks${why ? ` (skipped: ${why})` : ''}`, () => {
  for (const pair of PAIRS) {
    it.concurrent(`${pair.name}: ${pair.best}`, async ({ task }) => {
      await inLab(pair.wiring, async ({ lab, meet }) => {
        if (pair.ipv6) addIPv6(lab);
        const meeting = await meet(pair.ipv6 ? { mediatorAddress: MEDIATOR_IPV6 } : {});
        const connected = await meeting.event('b', ({ event }) => event === 'connected');
        expect(connected, meeting.account()).not.toBeNull();
        const { path, atMs } = await settle(meeting, pair);
        task.meta.lab = { pair: pair.name, path, firstMs: connected?.atMs ?? 0, pathMs: atMs };
        expect(PATHS.indexOf(path), meeting.account()).toBeLessThanOrEqual(PATHS.indexOf(pair.best));
        await meeting.talk();
        expect(meeting.breaks()).toEqual([]);
      });
    });
  }
});

/** Where both are when it is as good as it can be, or when time is up. */
async function settle(meeting: LabMeeting, { best }: PairOfNetworks) {
  const goodEnough = new Set<string>(PATHS.slice(0, PATHS.indexOf(best) + 1));
  const there = ({ path }: { path?: string }) => path !== undefined && goodEnough.has(path);
  await Promise.all([meeting.event('a', there, BEST_PATH_MS), meeting.event('b', there, BEST_PATH_MS)]);
  const last = meeting.events.b.findLast(({ path }) => path !== undefined);
  return { path: PATHS.find((path) => path === last?.path) ?? 'relay', atMs: last?.atMs ?? 0 };
}
