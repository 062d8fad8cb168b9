import { type Judged, judge, type Line, type Report, spell } from './report.js';
import type { Spread } from './statistics.js';

const HEAD = ['what', 'ours', 'reference', 'ratio', 'goal'];

/** The table for a terminal. */
export function textTable(reports: readonly Report[]): string {
  const rows = [HEAD, ...cellsOf(reports)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The same for docs/performance.md. */
export function markdownTable(reports: readonly Report[]): string {
  const rows = [HEAD, HEAD.map(() => '---'), ...cellsOf(reports)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function cellsOf(reports: readonly Report[]): string[][] {
  return reports.flatMap(({ lines }) => lines).map(cells);
}

function cells(line: Line): string[] {
  const judged = judge(line);
  const unit = ` ${line.unit.name}`;
  const reference = judged.reference ? `${line.reference?.name}: ${range(judged.reference)}${unit}` : '';
  return [line.what, range(judged.ours) + unit, reference, judged.ratio ? range(judged.ratio) : '', verdicts(judged)];
}

/** `median (min–max)`, or the one number that there is. */
function range({ min, median, max }: Spread): string {
  return min === max ? spell(median) : `${spell(median)} (${spell(min)}–${spell(max)})`;
}

function verdicts({ goals }: Judged): string {
  return goals.map(({ text, met, by }) => (met ? `${text} met` : `${text} missed by ${by}`)).join(', ');
}
