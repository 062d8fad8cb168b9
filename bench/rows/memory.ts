import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeHoles } from '../files.js';
import { House } from '../house.js';
import type { Line, Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

type Size = 'small' | 'large';
interface Peaks {
  alice: number[];
  bob: number[];
}

/** Each takes half a minute. */
const MOST_RUNS = 3;

/** Peak memory of either side, as the kernel counted it (VmHWM). The source is a file of holes, which reads as zeros. */
export const memory: Row = {
  name: 'memory',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const sizes = quick ? { small: 128, large: 512 } : { small: 1024, large: 8192 };
    const house = await new House().open();
    const source = join(tmpdir(), 'holes.bin');
    const peaks: Record<Size, Peaks> = { small: { alice: [], bob: [] }, large: { alice: [], bob: [] } };
    const send = async (size: Size) => {
      makeHoles(source, sizes[size] * MiB);
      const pair = await Pair.meet(house, 'tcp-direct');
      const ms = await timed(() => pair.send('alice', source, house.path('received')));
      for (const who of ['alice', 'bob'] as const) peaks[size][who].push(pair.person(who).peakMemoryMiB());
      await pair.part();
      rmSync(house.path('received'), { recursive: true });
      return ms;
    };
    try {
      await rounds<Size>(Math.min(runs, MOST_RUNS), { small: () => send('small'), large: () => send('large') });
    } finally {
      await house.close();
      rmSync(source, { force: true });
    }
    const line = (who: 'alice' | 'bob', side: string): Line => ({
      what: `peak memory, ${side}, ${sizes.large} MiB file`,
      unit: { name: 'MiB', better: 'less' },
      ours: peaks.large[who],
      reference: { name: `${sizes.small} MiB file`, samples: peaks.small[who] },
      goals: [
        { of: 'ours', atMost: 160 },
        { of: 'ratio', atMost: 1.15 },
      ],
    });
    return { row: this.name, lines: [line('alice', 'sender'), line('bob', 'receiver')], missing: [] };
  },
};
