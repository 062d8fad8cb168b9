import { parseArgs } from 'node:util';
import { crashRun, type Figures } from './crash-run.js';

const { seconds, seed } = readOptions();

console.log(`seed ${seed}, ${seconds} s`);
const { findings, ...figures } = await crashRun({ seconds, seed, report: tell });
tell(figures);
for (const finding of findings) console.log(`FOUND ${finding}`);
console.log(
  findings.length === 0 ? 'nothing lost, nothing doubled, nothing left behind' : `${findings.length} findings`,
);
process.exitCode = findings.length === 0 ? 0 : 1;

function readOptions(): { seconds: number; seed: number } {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
    const seconds = Number(values.seconds ?? 60);
    const seed = Number(values.seed ?? Date.now() % 1e6);
    if (seconds > 0 && Number.isInteger(seed)) return { seconds, seed };
  } catch {
    // An option that there is not.
  }
  console.error('usage: scripts/crash [--seconds N] [--seed N]');
  process.exit(2);
}

function tell({ kills, messages, replayed, transfers, files, bytes, seconds: passed }: Figures): void {
  const { alice, bob, mediator } = kills;
  console.log(
    `${passed} s: ${alice + bob + mediator} kills (alice ${alice}, bob ${bob}, mediator ${mediator}), ` +
      `${messages} messages (${replayed} shown again), ${transfers} transfers of ${files} files, ` +
      `${Math.round(bytes / 1024 / 1024)} MiB`,
  );
}
