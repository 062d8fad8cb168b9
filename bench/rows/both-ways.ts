import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeFile, megabytesPerSecond, warmMemory } from '../files.js';
import { House } from '../house.js';
import type { Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

/** A file each way at the same time against one alone, in one session. */
export const bothWays: Row = {
  name: 'both',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const bytes = (quick ? 64 : 512) * MiB;
    const house = await new House().open();
    const source = makeFile(join(tmpdir(), 'source.bin'), bytes);
    const pair = await Pair.meet(house, 'tcp-direct');
    const send = (from: 'alice' | 'bob') => pair.send(from, source, house.path(`from ${from}`));
    const rate = async (total: number, work: () => Promise<unknown>) => {
      warmMemory(total);
      const ms = await timed(work);
      for (const from of ['alice', 'bob']) rmSync(house.path(`from ${from}`), { recursive: true, force: true });
      return megabytesPerSecond(total, ms);
    };
    try {
      const samples = await rounds<'both' | 'one'>(runs, {
        both: () => rate(2 * bytes, () => Promise.all([send('alice'), send('bob')])),
        one: () => rate(bytes, () => send('alice')),
      });
      const { both = [], one = [] } = samples;
      return {
        row: this.name,
        lines: [
          {
            what: `${bytes / MiB} MiB each way at once, the sum`,
            unit: { name: 'MB/s', better: 'more' },
            ours: both,
            reference: { name: 'one way', samples: one },
            goals: [{ of: 'ratio', atLeast: 1.2 }],
          },
        ],
        missing: [],
      };
    } finally {
      await pair.part();
      await house.close();
      rmSync(source);
    }
  },
};
