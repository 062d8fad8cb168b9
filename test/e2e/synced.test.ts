import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noise, plant } from '../peer/files/helpers/tree.js';
import { Pair } from '../support/pair.js';
import { type RunningProgram, stopAll } from '../support/program.js';

/** Looks at system calls: where strace is, and may be used. */
const canTrace = spawnSync('strace', ['-qq', '-e', 'trace=none', 'true']).status === 0;

let pair: Pair;
let tracer: ChildProcess | null = null;

beforeEach(async () => {
  pair = new Pair();
  await pair.startMediator();
});

afterEach(async () => {
  tracer?.kill();
  await stopAll();
  pair.remove();
});

/** Follows all threads of a program; resolves when it does. */
async function trace({ pid }: RunningProgram): Promise<() => Promise<string[]>> {
  const calls = 'trace=write,pwrite64,fsync,fdatasync,link,linkat,unlink,unlinkat';
  const strace = spawn('strace', ['-f', '-y', '-s', '40', '-e', calls, '-o', pair.path('calls'), '-p', String(pid)]);
  tracer = strace;
  await once(strace.stderr, 'data');
  return async () => {
    strace.kill('SIGINT');
    await once(strace, 'exit');
    return readFileSync(pair.path('calls'), 'utf8').split('\n');
  };
}

/** The first line from `after` on that fits; -1 if there is none. */
function find(calls: string[], pattern: RegExp, after = -1): number {
  return calls.findIndex((call, index) => index > after && pattern.test(call));
}

const JOURNAL_WRITE = /pwrite64\(\d+<[^>]*journal\.db-wal>/;
const JOURNAL_SYNC = /f(data)?sync\(\d+<[^>]*journal\.db(-wal)?>/;

describe.skipIf(!canTrace)('in the order of system calls (needs strace)', () => {
  it('a message is in the synced journal before it is told to be sent or heard', async () => {
    const people = await pair.meet('--no-port-mapping');
    for (const name of ['alice', 'bob'] as const) {
      const end = await trace(people[name]);
      people.alice.send({ command: 'message', text: name });
      await people.bob.next((event) => event.event === 'message' && event.text === name);
      await people.alice.next('delivered');
      const calls = await end();
      const told = find(calls, /write\(1<.*"\{\\"event\\":\\"message\\"/);
      const before = calls.slice(0, Math.max(told, 0));
      const written = before.findLastIndex((call) => JOURNAL_WRITE.test(call));
      const synced = before.findLastIndex((call) => JOURNAL_SYNC.test(call));
      expect(written).toBeGreaterThan(-1);
      expect(synced).toBeGreaterThan(written);
    }
  });

  it.each([10_000, 3_000_000])(
    'a file is synced, gets its name, and its folder is synced, before it is told to be in place: of %i bytes',
    async (bytes) => {
      const { alice, bob } = await pair.meet('--no-port-mapping');
      plant(pair.folder, { big: noise(bytes) });
      alice.send({ command: 'send', paths: [pair.path('big')] });
      const { transfer } = await bob.next('offer');
      const end = await trace(bob);
      bob.send({ command: 'accept', transfer, into: pair.path('into') });
      await bob.next('transferred');
      const calls = await end();
      const synced = find(calls, /fsync\(\d+<[^>]*\/into\/\.turbo-beep-/);
      const linked = find(calls, /link(at)?\(.*big"/, synced);
      const unlinked = find(calls, /unlink(at)?\(.*\.turbo-beep-/, linked);
      const folderSynced = find(calls, /fsync\(\d+<[^>]*\/into>/, unlinked);
      const told = find(calls, /write\(1<.*"\{\\"event\\":\\"file\\"/, folderSynced);
      const steps = [synced, linked, unlinked, folderSynced, told];
      expect(Math.min(...steps)).toBeGreaterThan(-1);
      expect(find(calls, /write\(1<.*"\{\\"event\\":\\"file\\"/)).toBe(told);
    },
  );
});
