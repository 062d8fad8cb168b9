import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeHoles } from '../files.js';
import { House } from '../house.js';
import type { Report } from '../report.js';
import { rounds } from '../rounds.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

/** Each takes half a minute. */
const MOST_RUNS = 3;

/** Both programs killed near the end of a large file and started again: until the next new byte, the rest verified. */
export const resume: Row = {
  name: 'resume',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const total = (quick ? 512 : 4096) * MiB;
    // Between this and the end several lines of progress are printed, also of a small file.
    const most = total * (quick ? 0.6 : 0.975);
    const source = makeHoles(join(tmpdir(), 'holes.bin'), total);
    try {
      const { ours = [] } = await rounds<'ours'>(Math.min(runs, MOST_RUNS), {
        ours: () => resumeOnce(source, most, total),
      });
      return {
        row: this.name,
        lines: [
          {
            what: `${total / MiB} MiB file resumed at ${Math.round(most / MiB)} MiB, programs started to next new byte`,
            unit: { name: 's', better: 'less' },
            ours,
            reference: null,
            goals: [{ of: 'ours', atMost: 4 }],
          },
        ],
        missing: [],
      };
    } finally {
      rmSync(source);
    }
  },
};

/** Seconds. */
async function resumeOnce(source: string, most: number, total: number): Promise<number> {
  const house = await new House().open();
  try {
    const pair = await Pair.meet(house, 'tcp-direct');
    const [alice, bob] = [pair.person('alice'), pair.person('bob')];
    alice.command({ command: 'send', paths: [source] });
    const { transfer } = await bob.event(({ event }) => event === 'offer');
    bob.command({ command: 'accept', transfer, into: house.path('received') });
    const { bytes } = await bob.event(({ event, bytes }) => event === 'progress' && Number(bytes) > most);
    await pair.kill();
    if (Number(bytes) >= total) throw new Error('it was through before it could be interrupted');
    const startedAt = performance.now();
    const again = { alice: house.talk('alice'), bob: house.talk('bob') };
    await again.bob.event(({ event }) => event === 'progress');
    const seconds = (performance.now() - startedAt) / 1000;
    await again.bob.event(({ event }) => event === 'transferred');
    await Promise.all([again.alice.stop(), again.bob.stop()]);
    return seconds;
  } finally {
    await house.close();
  }
}
