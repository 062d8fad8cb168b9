import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { plot } from './plot.js';
import { killAll } from './process.js';
import { judge, type Report } from './report.js';
import type { Row } from './row.js';
import { bothWays } from './rows/both-ways.js';
import { help } from './rows/help.js';
import { largeFile } from './rows/large-file.js';
import { latency } from './rows/latency.js';
import { manyFiles } from './rows/many-files.js';
import { mediator } from './rows/mediator.js';
import { memory } from './rows/memory.js';
import { relay } from './rows/relay.js';
import { resume } from './rows/resume.js';
import { slowLink } from './rows/slow-link.js';
import { start } from './rows/start.js';
import { udp } from './rows/udp.js';
import { markdownTable, textTable } from './table.js';

const ROWS: Row[] = [
  largeFile,
  udp,
  relay,
  manyFiles,
  bothWays,
  memory,
  start,
  latency,
  slowLink,
  help,
  mediator,
  resume,
];
const RUNS = 5;
const QUICK_RUNS = 2;
/** What the table stands between in docs/performance.md. */
const [BEGIN, END] = ['<!-- bench: begin -->', '<!-- bench: end -->'];

/** Run by scripts/bench, which tells where the project is. */
const root = process.env.TURBO_BEEP_ROOT ?? '.';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
});

const runs = Number(values.runs ?? (values.quick ? QUICK_RUNS : RUNS));

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.on('exit', killAll);
await run();

async function run(): Promise<void> {
  const rows = ROWS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const unknown = positionals.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) {
    console.error(`There is no row ${unknown.join(', ')}. There are: ${ROWS.map(({ name }) => name).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const effort = { runs, quick: values.quick, hyperdht: process.env.BENCH_HYPERDHT || null };
  const reports: Report[] = [];
  for (const row of rows) {
    const startedAt = performance.now();
    reports.push(await measure(row, effort));
    process.stderr.write(`${row.name}: ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
  }
  const table = [textTable(reports), ...missingOf(reports).map((what) => `Not measured: ${what}`)].join('\n');
  console.log(`\n${machine()}\n\n${table}`);
  writeFileSync(join(root, 'bench/results.json'), `${JSON.stringify(resultsOf(reports), null, 2)}\n`);
  if (values['write-docs']) writeDocs(reports);
}

/** A row that fails is told of, and the others are still worth having. */
async function measure(row: Row, effort: Parameters<Row['measure']>[0]): Promise<Report> {
  try {
    return await row.measure(effort);
  } catch (error) {
    process.exitCode = 1;
    return {
      row: row.name,
      lines: [],
      missing: [`${row.name} failed: ${error instanceof Error ? error.message : error}`],
    };
  } finally {
    killAll();
  }
}

function missingOf(reports: readonly Report[]): string[] {
  return [...new Set(reports.flatMap(({ missing }) => missing))];
}

function machine(): string {
  const [cpu] = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const load = os.loadavg()[0]?.toFixed(1);
  const what = `${os.cpus().length} × ${cpu?.model.trim()}, ${memory} GiB, ${os.type()} ${os.release()}, Node ${process.version}`;
  return `${what}; load ${load} at the end; ${new Date().toISOString().slice(0, 10)}${values.quick ? '; quick' : ''}`;
}

function resultsOf(reports: readonly Report[]) {
  return {
    machine: machine(),
    runs,
    rows: reports.map(({ row, lines, missing }) => ({
      row,
      missing,
      lines: lines.map((line) => ({ ...line, ...judge(line), samples: line.ours })),
    })),
  };
}

/** Puts the table between its two marks in docs/performance.md, and the plot beside it. */
function writeDocs(reports: readonly Report[]): void {
  const page = join(root, 'docs/performance.md');
  const text = readFileSync(page, 'utf8');
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before === -1 || after === -1) throw new Error(`${page} has no place for the table`);
  const missing = missingOf(reports).map((what) => `Not measured: ${what}\n`);
  const measured = [`${machine()}.\n`, `${markdownTable(reports)}\n`, ...missing].join('\n');
  writeFileSync(page, `${text.slice(0, before)}${BEGIN}\n\n${measured}\n${text.slice(after)}`);
  writeFileSync(join(root, 'docs/performance.svg'), plot(reports));
}
