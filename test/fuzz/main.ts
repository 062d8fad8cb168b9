import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Coverage } from './coverage.js';
import { type FuzzResult, fuzz } from './fuzz.js';
import type { Target } from './target.js';
import { TARGETS } from './targets/index.js';
import { Watchdog } from './watchdog.js';

const HELP = `Feeds the parsers with inputs that nobody would send, and says what broke.

  npm run fuzz                                  every target, a minute in all
  npm run fuzz -- --inputs 1000000              so many inputs in all; a slow target ends after a minute, and what it
                                                leaves over goes to those after it
  npm run fuzz -- --seconds 600 --target pem    for so long, one target (may be given more than once)
  npm run fuzz -- --seed 7                      other inputs than with another seed
  npm run fuzz -- --replay FILE --target pem    one input again, with the error's stack

Every input that broke something is written to test/fuzz/findings/TARGET/, and tried first from then on.
`;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true, default: [] },
    findings: { type: 'string', default: 'test/fuzz/findings' },
    replay: { type: 'string' },
    'no-coverage': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const MAX_TARGET_MS = 60_000;

const findings = resolve(values.findings);
process.exitCode = values.help ? help() : await main(chosenTargets());

async function main(targets: Target[]): Promise<number> {
  if (values.replay) return replay(targets, values.replay);
  const maxInputs = Number(values.inputs ?? Number.POSITIVE_INFINITY);
  const maxMs = timeFor(targets);
  const coverage = values['no-coverage'] ? null : new Coverage();
  coverage?.start();
  let broken = 0;
  let inputs = 0;
  let running = '';
  // An error that escapes has no caller to tell which input it was: the last one is the best guess.
  process.on('uncaughtException', (error) => {
    console.error(`${running}: escaped: ${error.stack}`);
    process.exit(1);
  });
  for (const [index, target] of targets.entries()) {
    running = target.name;
    const folder = join(findings, target.name);
    const watchdog = new Watchdog(folder);
    const more = readFindings(folder);
    const share = Math.ceil((maxInputs - inputs) / (targets.length - index));
    const options = { seed: Number(values.seed), maxInputs: share, maxMs, more, folder, coverage, watchdog };
    const result = await fuzz(target, options);
    await watchdog.stop();
    report(target, result);
    broken += result.findings.length;
    inputs += result.inputs;
  }
  coverage?.stop();
  console.log(`${inputs} inputs, ${broken} findings, seed ${values.seed}`);
  return broken === 0 ? 0 : 1;
}

/** For each target. */
function timeFor({ length }: Target[]): number {
  const { inputs, seconds } = values;
  if (seconds === undefined && inputs !== undefined) return MAX_TARGET_MS;
  return (Number(seconds ?? 60) * 1000) / length;
}

function report({ name }: Target, { inputs, ms, corpus, findings: found }: FuzzResult): void {
  const rate = Math.round((inputs * 1000) / ms);
  const figures = `${inputs} inputs  ${(ms / 1000).toFixed(1)} s  ${rate}/s  ${corpus} led somewhere new`;
  console.log(`${name.padEnd(18)} ${figures}`);
  for (const { file, error, times } of found) {
    console.log(`  ${file} (${times} times): ${error instanceof Error ? error.stack : error}`);
  }
}

async function replay(targets: Target[], file: string): Promise<number> {
  for (const target of targets) {
    target.seeds();
    await target.run(readFileSync(file));
    await target.close?.();
    console.log(`${target.name}: nothing broke`);
  }
  return 0;
}

function readFindings(folder: string): Buffer[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name))) : [];
}

function chosenTargets(): Target[] {
  const unknown = values.target.filter((name) => !TARGETS.some((target) => target.name === name));
  const names = TARGETS.map(({ name }) => name).join(', ');
  if (unknown.length > 0) throw new Error(`there is no target ${unknown.join(', ')}; there are ${names}`);
  return values.target.length === 0 ? [...TARGETS] : TARGETS.filter(({ name }) => values.target.includes(name));
}

function help(): number {
  console.log(HELP);
  return 0;
}
