import { onTestFinished } from 'vitest';

const TICK_MS = 5;
/** A timer of an idle machine is hardly later than this. */
const LATEST_TICK_MS = 20;

/**
 * A clock for what a test promises to be quick, in milliseconds from now. It goes on only while the machine gives this
 * process its turns: a busy one makes everything late, and the program is not to blame.
 */
export function ownTime(): () => number {
  let passed = 0;
  let last = performance.now();
  const tick = () => {
    const now = performance.now();
    passed += Math.min(now - last, LATEST_TICK_MS);
    last = now;
  };
  const timer = setInterval(tick, TICK_MS);
  onTestFinished(() => clearInterval(timer));
  return () => {
    tick();
    return passed;
  };
}

/** The same for work that keeps this process busy from its beginning to its end: the milliseconds of processor it has cost so far. */
export function processorTime(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
}
