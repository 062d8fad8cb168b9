import { addIPv6, MEDIATOR_IPV6 } from './ipv6.js';
import { LabMeeting, type MeetingSetup } from './meeting.js';
import { Lab, type Wiring, whyNoLab } from './net.js';
import { NETWORKS, pairs, TOGETHER } from './networks.js';

/**
 * `npm run lab`: for every pair of networks, runs the real programs and prints the path that the session ends up on, the
 * time to the first session and to that path. Words on the command line choose the pairs whose names hold them all.
 */
interface Row {
  name: string;
  wiring: Wiring;
  ipv6?: true;
}

/** A better path would have come by now. */
const SETTLED_MS = 12_000;

const why = whyNoLab();
if (why) console.log(`the lab is skipped: ${why}`);
else await printMatrix(process.argv.slice(2));

async function printMatrix(words: string[]): Promise<void> {
  const rows = allRows().filter(({ name }) => words.every((word) => name.includes(word)));
  const firstMs: number[] = [];
  let without = 0;
  print('pair', 'path', 'first session', 'this path');
  for (const row of rows) {
    const { path, connectedMs, pathMs } = await measure(row);
    print(row.name, path ?? 'NO SESSION', inMs(connectedMs), inMs(pathMs));
    if (connectedMs === null) without += 1;
    else firstMs.push(connectedMs);
  }
  const median = firstMs.sort((a, b) => a - b)[Math.floor(firstMs.length / 2)];
  console.log(
    `\n${rows.length - without} of ${rows.length} pairs have a session; median to the first: ${inMs(median)}`,
  );
  process.exitCode = without > 0 ? 1 : 0;
}

function allRows(): Row[] {
  return [
    ...pairs().map(([a, b]) => ({ name: `${a} x ${b}`, wiring: { a: NETWORKS[a], b: NETWORKS[b] } })),
    ...Object.entries(TOGETHER).map(([name, wiring]) => ({ name, wiring })),
    { name: 'IPv6 firewalls', wiring: { a: ['udp-blocked'], b: ['udp-blocked'] }, ipv6: true },
  ];
}

/** Times in milliseconds since the peers were started, programs' start included. */
async function measure({
  wiring,
  ipv6,
}: Row): Promise<{ path: string | null; connectedMs: number | null; pathMs: number | null }> {
  const lab = new Lab(wiring);
  const setup: MeetingSetup = ipv6 ? { mediatorAddress: MEDIATOR_IPV6 } : {};
  let meeting: LabMeeting | null = null;
  try {
    if (ipv6) addIPv6(lab);
    meeting = new LabMeeting(lab, setup);
    await meeting.start();
    const connected = await meeting.event('b', ({ event }) => event === 'connected');
    if (!connected) return { path: null, connectedMs: null, pathMs: null };
    await meeting.event('b', ({ path }) => path === 'tcp-direct' || path === 'tcp-punch', SETTLED_MS);
    const last = meeting.events.b.findLast(({ path }) => path !== undefined) ?? connected;
    return { path: last.path ?? null, connectedMs: connected.atMs, pathMs: last.atMs };
  } finally {
    await meeting?.stop();
    lab.demolish();
  }
}

function inMs(ms: number | null | undefined): string {
  return ms === null || ms === undefined ? '-' : `${Math.round(ms)} ms`;
}

function print(pair: string, path: string, first: string, settled: string): void {
  console.log(`${pair.padEnd(50)} ${path.padEnd(11)} ${first.padStart(13)} ${settled.padStart(13)}`);
}
