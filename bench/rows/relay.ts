import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeFile, megabytesPerSecond, warmMemory } from '../files.js';
import { House } from '../house.js';
import type { Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

/** A file through the mediator, which carries both ways of it, against the same file over a direct link. */
export const relay: Row = {
  name: 'relay',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const bytes = (quick ? 64 : 512) * MiB;
    const source = makeFile(join(tmpdir(), 'source.bin'), bytes);
    const [direct, relayed] = [await new House().open(), await new House().open()];
    const pairs = {
      direct: await Pair.meet(direct, 'tcp-direct'),
      relayed: await Pair.meet(relayed, 'relay', '--paths', 'relay'),
    };
    const rate = (house: House, pair: Pair) => async () => {
      const into = house.path('received');
      warmMemory(bytes);
      const ms = await timed(() => pair.send('alice', source, into));
      rmSync(into, { recursive: true });
      return megabytesPerSecond(bytes, ms);
    };
    try {
      const samples = await rounds<'ours' | 'direct'>(runs, {
        ours: rate(relayed, pairs.relayed),
        direct: rate(direct, pairs.direct),
      });
      const { ours = [], direct: reference = [] } = samples;
      return {
        row: this.name,
        lines: [
          {
            what: `${bytes / MiB} MiB file, relay`,
            unit: { name: 'MB/s', better: 'more' },
            ours,
            reference: { name: 'tcp-direct', samples: reference },
            goals: [{ of: 'ratio', atLeast: 0.5 }],
          },
        ],
        missing: [],
      };
    } finally {
      await Promise.all(Object.values(pairs).map((pair) => pair.part()));
      await Promise.all([direct.close(), relayed.close()]);
      rmSync(source);
    }
  },
};
