import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Coverage } from './coverage.js';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import type { Target } from './target.js';
import type { Watchdog } from './watchdog.js';

export interface FuzzOptions {
  seed: number;
  /** Whichever bound comes first. */
  maxInputs: number;
  maxMs: number;
  /** Inputs to begin from besides the target's own: past findings. */
  more: Buffer[];
  /** Where findings are written. */
  folder: string;
  coverage: Coverage | null;
  watchdog: Watchdog | null;
}

/** Inputs that broke the same thing are one finding: the first of them is kept. */
export interface Finding {
  file: string;
  error: unknown;
  times: number;
}

export interface FuzzResult {
  inputs: number;
  ms: number;
  /** Inputs that went where none had gone before. */
  corpus: number;
  findings: Finding[];
}

/** Asking V8 what ran costs more than most parsers do: so much of the time may go into it. */
const COVERAGE_SHARE = 0.4;
const MAX_CORPUS = 2_000;
const MAX_FINDINGS = 5;
/** Synchronous targets in a row before timers and promises get their turn. */
const TURN = 256;
/** What a target may keep when it is done, with everything it ever took in gone. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** Runs one target over neighbours of inputs that led somewhere new, until a bound is reached. */
export async function fuzz(target: Target, o: FuzzOptions): Promise<FuzzResult> {
  const random = new Random(o.seed);
  const corpus = [...target.seeds(), ...o.more];
  const findings = new Map<string, Finding>();
  const startedAt = performance.now();
  const keptBefore = keptBytes();
  let coverageMs = 0;
  let inputs = 0;

  const tryOne = async (input: Buffer): Promise<boolean> => {
    const ms = performance.now() - startedAt;
    const lookedAt = o.coverage !== null && corpus.length < MAX_CORPUS && coverageMs <= ms * COVERAGE_SHARE;
    const before = performance.now();
    if (lookedAt) o.coverage?.clear();
    const begunAt = performance.now();
    inputs += 1;
    o.watchdog?.begin(input);
    const error = await runOne(target, input);
    const ranMs = performance.now() - begunAt;
    if (error !== null) note(findings, error, input, o.folder);
    const isNew = lookedAt && o.coverage?.isNew() === true;
    if (lookedAt) coverageMs += performance.now() - before - ranMs;
    return isNew;
  };

  for (const input of [...corpus]) await tryOne(input);
  const begun = corpus.length;
  while (inputs < o.maxInputs && performance.now() - startedAt < o.maxMs && findings.size < MAX_FINDINGS) {
    // What led somewhere new of late is where more is to be found.
    const from = random.chance(0.5)
      ? corpus.length - 1 - random.below(Math.min(corpus.length, 50))
      : random.below(corpus.length);
    const input = mutate(corpus[from] ?? Buffer.alloc(0), random, corpus, target.maxBytes);
    if (await tryOne(input)) corpus.push(input);
    if (inputs % TURN === 0) await nextTurn();
  }
  await target.close?.();
  const kept = keptBytes() - keptBefore - corpus.reduce((sum, { length }) => sum + length, 0);
  if (kept > MAX_KEPT_BYTES) {
    const error = new Error(`${kept} bytes are still held at the end`);
    findings.set('kept', { file: '(all of them together)', error, times: 1 });
  }
  return { inputs, ms: performance.now() - startedAt, corpus: corpus.length - begun, findings: [...findings.values()] };
}

/** What went wrong; null if nothing did. */
export async function runOne(target: Target, input: Buffer): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    // Of the processor, for a busy machine makes anything slow; waiting for ever is the watchdog's to notice.
    const before = process.cpuUsage();
    try {
      const running = target.run(input);
      if (running) await running;
    } catch (error) {
      return error;
    }
    const { user, system } = process.cpuUsage(before);
    const ms = (user + system) / 1_000;
    if (ms <= target.maxMs) return null;
    // Something else of this process, such as collecting garbage, may have been at work meanwhile.
    if (attempt === 3) return new Error(`took ${Math.round(ms)} ms, again and again`);
  }
}

function note(findings: Map<string, Finding>, error: unknown, input: Buffer, folder: string): void {
  const kind = kindOf(error);
  const known = findings.get(kind);
  if (known) {
    known.times += 1;
    return;
  }
  mkdirSync(folder, { recursive: true });
  const file = join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16));
  writeFileSync(file, input);
  findings.set(kind, { file, error, times: 1 });
}

/** Where it was thrown, and what it says without what it quotes. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [, ...stack] = (error.stack ?? '').split('\n    at ');
  return `${error.name} ${error.message.replace(/["'“].*|\d+/gs, '')} ${stack.slice(0, 3).join()}`;
}

function keptBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
