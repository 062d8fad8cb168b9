import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB, makeFile, megabytesPerSecond, sendWhole, warmMemory } from '../files.js';
import { House } from '../house.js';
import { startHelper } from '../process.js';
import { makeCertificate } from '../references/certificate.js';
import { Ssh } from '../references/ssh.js';
import { Wormhole } from '../references/wormhole.js';
import type { Line, Report } from '../report.js';
import { rounds, timed } from '../rounds.js';
import type { Effort, Row } from '../row.js';

type Way = 'ours' | 'raw' | 'memory' | 'scp' | 'wormhole';

const NAMES: Record<Exclude<Way, 'ours'>, string> = {
  raw: 'node:tls, file to file',
  memory: 'node:tls, memory to memory',
  scp: 'scp',
  wormhole: 'wormhole',
};
const GOALS: Record<Exclude<Way, 'ours'>, number> = { raw: 0.9, memory: 0.6, scp: 1.5, wormhole: 2.5 };

/** One large file over a direct TCP link on loopback, from whole command to whole command. */
export const largeFile: Row = {
  name: 'file',
  async measure({ runs, quick }: Effort): Promise<Report> {
    const bytes = (quick ? 128 : 1024) * MiB;
    const house = await new House().open();
    const source = makeFile(join(tmpdir(), 'source.bin'), bytes);
    const target = join(tmpdir(), 'target.bin');
    const certificate = makeCertificate();
    const missing = [Ssh.whyNot(), Wormhole.whyNot()].filter((why) => why !== null);
    const ssh = Ssh.whyNot() === null ? await Ssh.start() : null;
    const wormhole = Wormhole.whyNot() === null ? await Wormhole.start() : null;
    const rate = async (work: () => Promise<number>) => {
      const ms = await work();
      rmSync(target, { force: true });
      return megabytesPerSecond(bytes, ms);
    };
    try {
      const samples = await rounds<Way>(runs, {
        ours: () => rate(() => sendWhole(house, source)),
        raw: () => rate(() => sendRaw(source, target, certificate, bytes)),
        memory: () => rate(() => sendRaw('-', '-', certificate, bytes)),
        ...(ssh && { scp: () => rate(() => sendByScp(ssh, source, target, bytes)) }),
        ...(wormhole && { wormhole: () => rate(() => sendByWormhole(wormhole, source, target, bytes)) }),
      });
      const { ours = [], ...others } = samples;
      const lines = (Object.keys(NAMES) as Exclude<Way, 'ours'>[]).flatMap((way): Line[] => {
        const reference = others[way];
        if (!reference) return [];
        return [
          {
            what: `${bytes / MiB} MiB file, tcp-direct`,
            unit: { name: 'MB/s', better: 'more' },
            ours,
            reference: { name: NAMES[way], samples: reference },
            goals: [{ of: 'ratio', atLeast: GOALS[way] }],
          },
        ];
      });
      return { row: this.name, lines, missing };
    } finally {
      await Promise.all([ssh?.stop(), wormhole?.stop(), house.close()]);
      rmSync(source, { force: true });
    }
  },
};

async function sendRaw(
  source: string,
  target: string,
  { key, cert }: { key: string; cert: string },
  bytes: number,
): Promise<number> {
  const receiver = startHelper('references/raw-tls.js', ['receive', target, key, cert]);
  const [, port = ''] = await receiver.says(/port (\d+)/);
  warmMemory(bytes);
  return timed(async () => {
    const sender = startHelper('references/raw-tls.js', ['send', source, port, String(bytes)]);
    await Promise.all([sender.done(), receiver.done()]);
  });
}

async function sendByScp(ssh: Ssh, source: string, target: string, bytes: number): Promise<number> {
  warmMemory(bytes);
  return timed(() => ssh.scp(source, target).done());
}

async function sendByWormhole(wormhole: Wormhole, source: string, target: string, bytes: number): Promise<number> {
  const { code, receiver } = wormhole.receive(target);
  await receiver.says(/Waiting|waiting/);
  warmMemory(bytes);
  return timed(async () => {
    const sender = wormhole.send(source, code);
    await Promise.all([sender.done(), receiver.done()]);
  });
}
