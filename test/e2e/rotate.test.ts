import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Name, OTHER, Pair } from '../support/pair.js';
import { type ProgramEvent, type RunningProgram, run, start, stopAll } from '../support/program.js';

let pair: Pair;

beforeEach(async () => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

const home = (name: string) => ['--home', pair.path(name, 'home')];

/** Each saves the other, as people do. */
async function befriend(): Promise<void> {
  for (const name of ['alice', 'bob'] as const) {
    const whom = ['--host', '127.0.0.1', '--port', String(pair.port), '--keys', pair.keys(name)];
    const added = await run([
      'contact',
      'add',
      OTHER[name],
      ...whom,
      '--peer',
      pair.path(OTHER[name], 'public.pem'),
      ...home(name),
    ]);
    expect(added.code, added.stderr).toBe(0);
  }
}

function talk(name: Name, ...options: string[]): RunningProgram {
  return start([OTHER[name], '--json', ...home(name), ...options]);
}

async function bothTalk(...options: string[]): Promise<Record<Name, RunningProgram>> {
  const people = { alice: talk('alice', ...options), bob: talk('bob', ...options) };
  await Promise.all(Object.values(people).map((person) => person.next('connected')));
  return people;
}

async function rotate(name: Name): Promise<string> {
  const { code, stderr } = await run(['key', 'rotate', pair.path(name), '--bits', '2048', ...home(name)]);
  expect(code, stderr).toBe(0);
  return pair.identity(name).id;
}

async function contact(name: Name): Promise<Record<string, unknown>> {
  const { stdout } = await run(['contact', 'show', OTHER[name], '--json', ...home(name)]);
  return JSON.parse(stdout);
}

async function tell(from: RunningProgram, to: RunningProgram, text: string): Promise<void> {
  from.send({ command: 'message', text });
  await to.next((event) => event.event === 'message' && event.from === 'peer' && event.text === text);
}

const succeeded = (whose: string) => (event: ProgramEvent) => event.event === 'succeeded' && event.whose === whose;

async function quit(...people: RunningProgram[]): Promise<void> {
  for (const person of people) person.send({ command: 'quit' });
  await Promise.all(people.map(({ exited }) => exited));
}

it('a new key is told to the contact, followed by its person, and used from then on; history and mail go on', async () => {
  await pair.startMediator('--follow-successions');
  await befriend();
  const first = await bothTalk();
  await tell(first.alice, first.bob, 'before');
  await quit(first.alice, first.bob);
  const old = pair.identity('alice').id;
  const next = await rotate('alice');

  const { alice, bob } = await bothTalk();
  const offer = await bob.next('succession');
  expect(offer).toMatchObject({ peer: old, id: next });
  await tell(alice, bob, 'still by the old key');
  bob.send({ command: 'follow', id: old });
  expect(await bob.next('error')).toMatchObject({ code: 2 });
  bob.send({ command: 'follow', id: next });
  expect(await bob.next(succeeded('peer'))).toMatchObject({ id: next });
  expect(await alice.next(succeeded('me'))).toMatchObject({ id: next });
  expect(await bob.next('connected')).toMatchObject({ peer: next });
  await tell(alice, bob, 'by the new key');
  await tell(bob, alice, 'and back');
  expect(await contact('bob')).toMatchObject({ id: next, verified: false });
  expect(await contact('alice')).toMatchObject({ ownId: next });
  await quit(alice, bob);

  const later = await bothTalk();
  expect(later.bob.events.find(({ event }) => event === 'connected')).toMatchObject({ peer: next });
  await tell(later.bob, later.alice, 'without being asked again');
  expect(later.bob.events.some(({ event }) => event === 'succession')).toBe(false);
  // The old pair is not needed for the history, nor for anything else.
  await quit(later.alice, later.bob);
  rmSync(`${pair.keys('alice')}.former`, { recursive: true });
  const { stdout } = await run(['history', 'bob', ...home('alice')]);
  expect(stdout).toContain('before');
}, 180_000);
