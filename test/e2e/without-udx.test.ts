import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Pair } from '../support/pair.js';
import { type RunningProgram, start, stopAll } from '../support/program.js';

/** On systems for which udx-native has no build, npm leaves it out. */
const HIDE = `import Module from 'node:module';
const resolve = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => {
  if (name === 'udx-native') throw Object.assign(new Error('hidden'), { code: 'MODULE_NOT_FOUND' });
  return resolve(name, ...rest);
};`;
const HIDDEN = { NODE_OPTIONS: `--import ${asUrl(HIDE)}` };

const pair = new Pair();
beforeAll(() => pair.startMediator());
afterEach(() => stopAll());
afterAll(() => pair.remove());

function meet(env: Record<string, string>): Promise<RunningProgram[]> {
  const people = (['alice', 'bob'] as const).map((name) =>
    start([...pair.peerArguments(name), '--json', '--paths', 'udp-punch,relay'], { env }),
  );
  return Promise.all(people.map((person) => person.next('connected').then(() => person)));
}

it('two meet and talk without udx-native: only UDP is missing', async () => {
  const [alice, bob] = await meet(HIDDEN);
  alice?.send({ command: 'message', text: 'no UDP here' });
  await bob?.next((event) => event.event === 'message' && event.text === 'no UDP here');
  expect([alice, bob].map((person) => person?.stderr)).toEqual(['', '']);
  expect([alice, bob].flatMap((person) => person?.events ?? []).some(({ path }) => path === 'udp-punch')).toBe(false);
});

it('the same two go by UDP where it is there', async () => {
  await stopAll();
  await pair.startMediator();
  const people = await meet({});
  for (const { events } of people) {
    await expect.poll(() => events.some(({ path }) => path === 'udp-punch'), { timeout: 20_000 }).toBe(true);
  }
});

function asUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
