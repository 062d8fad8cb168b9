import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeHoles } from '../files.js';
import { House } from '../house.js';
import type { Line, Report } from '../report.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

/** Peak memory of either side, as the kernel counted it (VmHWM). The source is a file of holes, which reads as zeros. */
export const memory: Row = {
  name: 'memory',
  async measure({ quick }: Effort): Promise<Report> {
    const sizes = quick ? [128, 512] : [1024, 8192];
    const house = await new House().open();
    const source = join(tmpdir(), 'holes.bin');
    const peaks: { alice: number; bob: number }[] = [];
    try {
      for (const size of sizes) {
        makeHoles(source, size * MiB);
        const pair = await Pair.meet(house, 'tcp-direct');
        await pair.send('alice', source, house.path('received'));
        peaks.push({ alice: pair.person('alice').peakMemoryMiB(), bob: pair.person('bob').peakMemoryMiB() });
        await pair.part();
        rmSync(house.path('received'), { recursive: true });
      }
    } finally {
      await house.close();
      rmSync(source, { force: true });
    }
    const [small, large] = peaks;
    const line = (who: 'alice' | 'bob', side: string): Line => ({
      what: `peak memory, ${side}, ${sizes[1]} MiB file`,
      unit: { name: 'MiB', better: 'less' },
      ours: [large?.[who] ?? Number.NaN],
      reference: { name: `${sizes[0]} MiB file`, samples: [small?.[who] ?? Number.NaN] },
      goals: [
        { of: 'ours', atMost: 160 },
        { of: 'ratio', atMost: 1.15 },
      ],
    });
    return { row: this.name, lines: [line('alice', 'sender'), line('bob', 'receiver')], missing: [] };
  },
};
