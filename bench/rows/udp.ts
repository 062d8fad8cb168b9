import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeFile, megabytesPerSecond, warmMemory } from '../files.js';
import { House } from '../house.js';
import { startHelper } from '../process.js';
import type { Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

/** A file over a punched UDP path against the encrypted stream of hyperdht, both over loopback and already connected. */
export const udp: Row = {
  name: 'udp',
  async measure({ runs, quick, hyperdht }: Effort): Promise<Report> {
    const bytes = (quick ? 32 : 256) * MiB;
    const source = makeFile(join(tmpdir(), 'source.bin'), bytes);
    const house = await new House().open();
    const pair = await Pair.meet(house, 'udp-punch', '--paths', 'udp-punch');
    const into = house.path('received');
    try {
      const samples = await rounds<'ours' | 'hyperdht'>(runs, {
        ours: async () => {
          warmMemory(bytes);
          const ms = await timed(() => pair.send('alice', source, into));
          rmSync(into, { recursive: true });
          return megabytesPerSecond(bytes, ms);
        },
        ...(hyperdht !== null && {
          hyperdht: async () => megabytesPerSecond(bytes, await sendByHyperdht(hyperdht, source, bytes)),
        }),
      });
      return {
        row: this.name,
        lines: [
          {
            what: `${bytes / MiB} MiB file, udp-punch`,
            unit: { name: 'MB/s', better: 'more' },
            ours: samples.ours ?? [],
            reference: samples.hyperdht ? { name: 'hyperdht', samples: samples.hyperdht } : null,
            goals: samples.hyperdht ? [{ of: 'ratio', atLeast: 1.2 }] : [],
          },
        ],
        missing: hyperdht === null ? ['hyperdht could not be installed (npm ci in bench/)'] : [],
      };
    } finally {
      await pair.part();
      await house.close();
      rmSync(source);
    }
  },
};

/** Milliseconds from the first byte read to the last one written, as the sender learns it. */
async function sendByHyperdht(library: string, source: string, bytes: number): Promise<number> {
  const target = join(tmpdir(), 'target.bin');
  const receiver = startHelper('references/hyperdht.js', [library, 'receive', target]);
  const [, address = ''] = await receiver.says(/address (\S+)/);
  warmMemory(bytes);
  const sender = startHelper('references/hyperdht.js', [library, 'send', source, address]);
  const [, ms] = await sender.says(/took (\S+) ms/);
  await Promise.all([sender.stop(), receiver.stop()]);
  rmSync(target);
  return Number(ms);
}
