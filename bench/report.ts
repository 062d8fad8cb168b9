import { type Spread, spreadOf } from './statistics.js';

/** How the numbers of one line are to be read. `more`: a larger one is better. */
export interface Unit {
  name: 'MB/s' | 'ms' | 's' | 'MiB' | 'KiB' | '/s' | '%';
  better: 'more' | 'less';
}

export type Goal = { of: 'ratio' | 'ours'; atLeast: number } | { of: 'ratio' | 'ours'; atMost: number };

/** One line of the table. */
export interface Line {
  what: string;
  unit: Unit;
  ours: number[];
  /** Measured in turn with ours, one for one. */
  reference: { name: string; samples: number[] } | null;
  goals: Goal[];
}

export interface Judged {
  ours: Spread;
  reference: Spread | null;
  /** Ours over the reference's in the same round, as the unit counts: of numbers, not of goodness. */
  ratio: Spread | null;
  goals: { text: string; met: boolean; by: string }[];
}

export interface Report {
  row: string;
  lines: Line[];
  /** What could not be measured here, and why. */
  missing: string[];
}

export function judge(line: Line): Judged {
  const ours = spreadOf(line.ours);
  const samples = line.reference?.samples ?? [];
  const ratio = line.reference
    ? spreadOf(line.ours.map((value, round) => value / (samples[round] ?? Number.NaN)))
    : null;
  return {
    ours,
    reference: line.reference ? spreadOf(samples) : null,
    ratio,
    goals: line.goals.map((goal) => {
      const value = goal.of === 'ours' ? ours.median : (ratio?.median ?? Number.NaN);
      return { text: goalText(goal, line.unit), met: isMet(goal, value), by: shortfall(goal, value) };
    }),
  };
}

function isMet(goal: Goal, value: number): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

/** By how much a goal is missed, as a share of it. */
function shortfall(goal: Goal, value: number): string {
  if (isMet(goal, value)) return '';
  const bound = 'atLeast' in goal ? goal.atLeast : goal.atMost;
  return `${Math.abs(Math.round((value / bound - 1) * 100))}%`;
}

function goalText(goal: Goal, unit: Unit): string {
  const [sign, bound] = 'atLeast' in goal ? ['≥', goal.atLeast] : ['≤', goal.atMost];
  return goal.of === 'ratio' ? `${sign} ${bound} ×` : `${sign} ${bound} ${unit.name}`;
}

export function spell(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
