import { expect, test } from 'vitest';
import { DebugLog } from '../../src/server/debug-log.js';

test('of a flood of lines most are counted, and how many is said when there is room again', async () => {
  const lines: string[] = [];
  const log = new DebugLog((text) => lines.push(text));
  for (let number = 0; number < 10_000; number++) log.say('flood');
  expect(lines.length).toBeGreaterThanOrEqual(200);
  expect(lines.length).toBeLessThan(1_000);
  await expect
    .poll(() => {
      log.say('after');
      return lines.at(-1);
    })
    .toBe('after');
  expect(lines.join('\n')).toMatch(/^\d+ lines left out\nafter$/m);
});
