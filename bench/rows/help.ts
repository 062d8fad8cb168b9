import { P2P } from '../house.js';
import { Started } from '../process.js';
import type { Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';

export const help: Row = {
  name: 'help',
  async measure({ runs }: Effort): Promise<Report> {
    const run = (...args: string[]) => timed(() => new Started(process.execPath, args).done());
    // Both read from the disk once before.
    await Promise.all([run(P2P, '--help'), run('-e', '0')]);
    const samples = await rounds<'ours' | 'node'>(runs * 4, {
      ours: () => run(P2P, '--help'),
      node: () => run('-e', '0'),
    });
    return {
      row: this.name,
      lines: [
        {
          what: '`p2p --help`',
          unit: { name: 'ms', better: 'less' },
          ours: samples.ours ?? [],
          reference: { name: '`node -e 0`', samples: samples.node ?? [] },
          goals: [{ of: 'ratio', atMost: 2.5 }],
        },
      ],
      missing: [],
    };
  },
};
