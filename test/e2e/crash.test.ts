import { expect, it } from 'vitest';
import { crashRun } from '../crash/crash-run.js';

/** `scripts/crash --seconds 3600 --seed 7` goes on for as long as asked. */
const SECONDS = Number(process.env.CRASH_SECONDS ?? 45);

it('kill -9 of either peer and the mediator at any moment loses, doubles, tears and leaves behind nothing', {
  timeout: (SECONDS + 240) * 1000,
  retry: 0,
}, async () => {
  const { messages, findings } = await crashRun({ seconds: SECONDS, seed: 20 });
  expect(findings).toEqual([]);
  expect(messages).toBeGreaterThan(10);
});
