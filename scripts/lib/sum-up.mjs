import { readFileSync } from 'node:fs';

// Adds up what scripts/test has done, says what failed and what was skipped and why, and ends with the line that counts.
// Arguments: files of lines `passed NAME`, `failed NAME`, `skipped NAME` or `counts FILE NAME`, the last of which are
// count-reporter.mjs's.

const MOST_NAMED = 5;

const [log] = process.argv.slice(2);
const sum = { passed: 0, failed: [], skipped: new Map() };
for (const line of readFileSync(log, 'utf8').trim().split('\n')) {
  const [, kind, rest] = /^(\w+) (.*)$/.exec(line) ?? [];
  if (kind === 'passed') sum.passed += 1;
  else if (kind === 'failed') sum.failed.push(rest);
  else if (kind === 'skipped') sum.skipped.set(rest, ['']);
  else if (kind === 'counts') addRun(rest);
}
report();

function addRun(rest) {
  const [, file, run] = /^(\S+) (.*)$/.exec(rest) ?? [];
  let counts;
  try {
    counts = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    sum.failed.push(`${run}: ended before it was done`);
    return;
  }
  sum.passed += counts.passed;
  sum.failed.push(...counts.failed.map((name) => `${run}: ${name}`));
  for (const [text, count] of linesFor(counts.skipped)) {
    sum.skipped.set(text, [...(sum.skipped.get(text) ?? []), ...Array(count).fill(run)]);
  }
}

// What many tests have in common is said once.
function linesFor(skipped) {
  const lines = new Map();
  for (const { name, reason } of skipped) {
    const alike = reason ? skipped.filter((other) => other.reason === reason).length : 1;
    const text = alike > MOST_NAMED ? `${alike} tests (${reason})` : `${name}${reason && ` (${reason})`}`;
    lines.set(text, (lines.get(text) ?? 0) + 1);
  }
  return lines;
}

function report() {
  const skipped = [...sum.skipped].flatMap(([, runs]) => runs).length;
  if (sum.skipped.size > 0) console.log('\nSkipped:');
  for (const [text, runs] of sum.skipped)
    console.log(`  ${text}${runs[0] ? `, on ${[...new Set(runs)].join(' and ')}` : ''}`);
  if (sum.failed.length > 0) console.log('\nFailed:');
  for (const text of sum.failed) console.log(`  ${text}`);
  const end = skipped > 0 ? `, ${skipped} skipped` : '';
  console.log(`\n${sum.passed} passed, ${sum.failed.length} failed${end}`);
  process.exitCode = sum.failed.length > 0 || sum.passed === 0 ? 1 : 0;
}
