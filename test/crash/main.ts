import { parseArgs } from 'node:util';
import { crashRun, type Figures } from './crash-run.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(Date.now() % 1e6) } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(seconds > 0 && Number.isInteger(seed))) {
  console.error('usage: scripts/crash [--seconds N] [--seed N]');
  process.exit(2);
}

console.log(`seed ${seed}, ${seconds} s`);
const { findings, ...figures } = await crashRun({ seconds, seed, report: tell });
tell(figures);
for (const finding of findings) console.log(`FOUND ${finding}`);
console.log(
  findings.length === 0 ? 'nothing lost, nothing doubled, nothing left behind' : `${findings.length} findings`,
);
process.exitCode = findings.length === 0 ? 0 : 1;

function tell({ kills, messages, replayed, transfers, files, bytes, seconds: passed }: Figures): void {
  const { alice, bob, mediator } = kills;
  console.log(
    `${passed} s: ${alice + bob + mediator} kills (alice ${alice}, bob ${bob}, mediator ${mediator}), ` +
      `${messages} messages (${replayed} shown again), ${transfers} transfers of ${files} files, ` +
      `${Math.round(bytes / 1024 / 1024)} MiB`,
  );
}
