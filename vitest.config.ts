import { defineConfig } from 'vitest/config';
import { builtThreads } from './test/support/threads.js';

export default defineConfig({
  plugins: [builtThreads()],
  test: {
    include: ['test/**/*.test.ts'],
    // For what hangs. What a test waits for has a time of its own, and says what did not come.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Of what comes when the machine has got to it: vitest's own second is luck on a busy one.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    // Real processes and sockets on a small machine: more workers only make them wait for each other.
    maxWorkers: 2,
    // In the lab, whose tests mostly wait.
    maxConcurrency: 3,
    // A build machine may starve a real terminal or network of its turn. What fails twice is broken.
    retry: process.env.CI ? 1 : 0,
  },
});
