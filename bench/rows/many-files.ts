import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolders, sendWhole } from '../files.js';
import { House } from '../house.js';
import { hasProgram } from '../references/local.js';
import { Ssh } from '../references/ssh.js';
import type { Line, Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';

const FILE_BYTES = 4096;
const FILES_IN_EACH = 100;

/** Many small files, from whole command to whole command. */
export const manyFiles: Row = {
  name: 'many',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const folders = quick ? 10 : 100;
    const source = makeFolders(join(tmpdir(), 'many'), folders, FILES_IN_EACH, FILE_BYTES);
    const target = join(tmpdir(), 'target');
    const house = await new House().open();
    const whyNot = Ssh.whyNot();
    const hasRsync = hasProgram('rsync');
    const ssh = whyNot === null ? await Ssh.start() : null;
    const seconds = async (work: () => Promise<number>) => {
      const ms = await work();
      rmSync(target, { recursive: true, force: true });
      return ms / 1000;
    };
    try {
      const samples = await rounds<'ours' | 'rsync' | 'scp'>(runs, {
        ours: () => seconds(() => sendWhole(house, source)),
        ...(ssh && hasRsync && { rsync: () => seconds(() => timed(() => ssh.rsync(source, target).done())) }),
        ...(ssh && { scp: () => seconds(() => timed(() => ssh.scp(source, target, '-q', '-r').done())) }),
      });
      const { ours = [], rsync, scp } = samples;
      const line = (name: string, reference: number[] | undefined, atMost: number): Line[] => {
        if (!reference) return [];
        const what = `${folders * FILES_IN_EACH} files of 4 KiB in ${folders} folders`;
        const unit = { name: 's', better: 'less' } as const;
        return [{ what, unit, ours, reference: { name, samples: reference }, goals: [{ of: 'ratio', atMost }] }];
      };
      return {
        row: this.name,
        lines: [...line('rsync over ssh', rsync, 1), ...line('scp -r', scp, 0.2)],
        missing: [whyNot, hasRsync ? null : 'rsync is not installed'].filter((why) => why !== null),
      };
    } finally {
      await Promise.all([ssh?.stop(), house.close()]);
      rmSync(source, { recursive: true, force: true });
    }
  },
};
