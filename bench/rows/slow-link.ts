import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabMeeting } from '../../test/lab/meeting.js';
import { Lab, whyNoLab } from '../../test/lab/net.js';
import { MiB, makeFile } from '../files.js';
import type { Report } from '../report.js';
import { rounds } from '../rounds.js';
import type { Effort, Row } from '../row.js';
import { percentile } from '../statistics.js';

const LINK_BITS = 10e6;
const MESSAGE_EVERY_MS = 200;
/** Until the window has found the link's rate. */
const WARM_UP_MS = 3_000;

/** Each takes well over half a minute. */
const MOST_RUNS = 3;

/** Messages in front of a file that fills a link of 10 Mbit/s both ways, in network namespaces. */
export const slowLink: Row = {
  name: 'slow-link',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const why = whyNoLab();
    if (why !== null) return { row: this.name, lines: [], missing: [why] };
    const measureMs = quick ? 5_000 : 30_000;
    const delays: number[] = [];
    const shares: number[] = [];
    await rounds<'ours'>(Math.min(runs, MOST_RUNS), {
      ours: async () => {
        const { delay95, share } = await fillSlowLink(measureMs);
        shares.push(share * 100);
        delays.push(delay95);
        return delay95;
      },
    });
    return {
      row: this.name,
      lines: [
        {
          what: 'a message while a file fills 10 Mbit/s, 95th percentile',
          unit: { name: 'ms', better: 'less' },
          ours: delays,
          reference: null,
          goals: [{ of: 'ours', atMost: 250 }],
        },
        {
          what: "the file's share of that link",
          unit: { name: '%', better: 'more' },
          ours: shares,
          reference: null,
          goals: [{ of: 'ours', atLeast: 90 }],
        },
      ],
      missing: [],
    };
  },
};

/** How long a message takes, in ms, 19 times of 20; and the file's share of the link's rate. */
async function fillSlowLink(measureMs: number): Promise<{ delay95: number; share: number }> {
  const lab = new Lab({ a: [], b: [] });
  const meeting = new LabMeeting(lab);
  const delays: number[] = [];
  const file = join(tmpdir(), 'slow.bin');
  const into = join(tmpdir(), 'slow-received');
  try {
    for (const [router, port] of [
      ['r2', 'right'],
      ['r3', 'left'],
    ] as const) {
      const rate = ['rate', '10mbit', 'burst', '32kb', 'latency', '400ms'];
      lab.run(router, 'tc', ['qdisc', 'add', 'dev', port, 'root', 'tbf', ...rate]);
    }
    await meeting.start();
    if ((await meeting.reaches('tcp-direct')) === null) throw new Error('no direct path in the lab');
    const source = makeFile(file, 128 * MiB);
    meeting.command('a', { command: 'send', paths: [source] });
    const offer = await meeting.event('b', ({ event }) => event === 'offer');
    if (!offer) throw new Error('no offer came');
    meeting.command('b', { command: 'accept', transfer: offer.transfer, into });
    await meeting.event('b', ({ event }) => event === 'progress');
    await sleep(WARM_UP_MS);
    const progress = () => meeting.events.b.findLast(({ event }) => event === 'progress');
    const [from, began] = [Number(progress()?.bytes), meeting.elapsedMs];
    for (let index = 0; meeting.elapsedMs - began < measureMs; index++) {
      const text = `message ${index}`;
      const said = meeting.elapsedMs;
      meeting.command('a', { command: 'message', text });
      const came = await meeting.event('b', (event) => event.event === 'message' && event.text === text);
      delays.push((came?.atMs ?? Number.NaN) - said);
      await sleep(MESSAGE_EVERY_MS);
    }
    const until = progress();
    const share = ((Number(until?.bytes) - from) * 8) / LINK_BITS / ((Number(until?.atMs) - began) / 1000);
    delays.sort((a, b) => a - b);
    return { delay95: percentile(delays, 0.95), share };
  } finally {
    await meeting.stop();
    lab.demolish();
    for (const left of [file, into]) rmSync(left, { recursive: true, force: true });
  }
}
