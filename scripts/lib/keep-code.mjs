import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { programs, setTheStage } from './demo-stage.mjs';

const RUNNER = [fileURLToPath(new URL('record.cjs', import.meta.url))];
const LONGEST_MS = 30_000;

/**
 * Lets the built programs do once, on this machine alone, what people wait for when they start them, and keeps beside
 * them the code that V8 made of it, for src/start.ts.
 */
export async function keepCode() {
  for (const program of Object.values(programs)) {
    execFileSync(process.execPath, [...RUNNER, program, '--help'], { stdio: 'ignore', timeout: LONGEST_MS });
  }
  await keepCodeOfSession();
}

async function keepCodeOfSession() {
  const stage = await setTheStage(RUNNER);
  const options = ['--no-port-mapping', '--timeout', String(LONGEST_MS / 1000)];
  const bob = stage.startPeer('bob', 'alice', { options });
  const alice = stage.startPeer('alice', 'bob', { runner: RUNNER, options });
  try {
    await alice.event(({ event }) => event === 'connected');
  } finally {
    await Promise.all([alice.stop(), bob.stop()]);
    await stage.stop();
  }
}
