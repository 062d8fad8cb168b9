import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePublicPem } from '../../src/protocol/identity.js';
import { declareSuccession, successionPem } from '../../src/protocol/succession.js';
import { newIdentity, publicPem } from '../support/keys.js';
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
});

describe('whoever is away', () => {
  it('hears of a new key, and of the one after it, when they come; each side killed in between', async () => {
    await pair.startMediator('--follow-successions');
    await befriend();
    const before = await bothTalk();
    await tell(before.alice, before.bob, 'hello');
    await quit(before.alice, before.bob);
    await rotate('alice');
    const alice = talk('alice');
    await alice.next('waiting');
    alice.send({ command: 'message', text: 'written by the old key' });
    await alice.next('message');
    await alice.stop('SIGKILL');
    const newest = await rotate('alice');

    let people = await bothTalk();
    await people.bob.next((event) => event.event === 'message' && event.text === 'written by the old key');
    expect(await people.bob.next((event) => event.event === 'succession' && event.id === newest)).toBeTruthy();
    for (const person of Object.values(people)) await person.stop('SIGKILL');
    people = await bothTalk();
    expect(await people.bob.next('succession')).toMatchObject({ id: newest, replayed: true });
    people.bob.send({ command: 'follow', id: newest });
    await people.bob.next(succeeded('peer'));
    // Killed before the other heard anything of it: only who it is that is wanted tells.
    for (const person of Object.values(people)) await person.stop('SIGKILL');
    people = await bothTalk();
    expect(people.bob.events.find(({ event }) => event === 'connected')).toMatchObject({ peer: newest });
    await people.alice.next(succeeded('me'));
    await tell(people.alice, people.bob, 'by the newest key');
    expect(await contact('alice')).toMatchObject({ ownId: newest });
  });
});

it('two who change keys at once follow each other', async () => {
  await pair.startMediator('--follow-successions');
  await befriend();
  const ids = { alice: await rotate('alice'), bob: await rotate('bob') };
  const { alice, bob } = await bothTalk();
  await Promise.all([alice.next('succession'), bob.next('succession')]);
  alice.send({ command: 'follow', id: ids.bob });
  bob.send({ command: 'follow', id: ids.alice });
  await Promise.all([alice, bob].map((person) => person.next(succeeded('me'), 60_000)));
  await tell(alice, bob, 'both new');
  await tell(bob, alice, 'both new');
  expect(await contact('alice')).toMatchObject({ id: ids.bob, ownId: ids.alice });
  expect(await contact('bob')).toMatchObject({ id: ids.alice, ownId: ids.bob });
});

it('a mediator that does not follow keeps the old key in use, until its operator adds the new public.pem', async () => {
  const mediator = await pair.startMediator();
  await befriend();
  const next = await rotate('alice');
  const { alice, bob } = await bothTalk();
  expect(await alice.next('error')).toMatchObject({ code: 4, hint: expect.stringContaining('public.pem') });
  await tell(alice, bob, 'by the old key');
  expect(bob.events.some(({ event }) => event === 'succession')).toBe(false);
  copyFileSync(pair.path('alice', 'public.pem'), pair.path('certs', 'alice-new.pem'));
  await mediator.next('keys');
  for (const person of [alice, bob]) person.send({ command: 'quit' });
  await Promise.all([alice.exited, bob.exited]);
  const later = await bothTalk();
  expect(await later.bob.next('succession')).toMatchObject({ id: next });
});

it('where the mediator admits only the new key, the new public.pem brings the two together again', async () => {
  const mediator = await pair.startMediator();
  await befriend();
  const next = await rotate('alice');
  copyFileSync(pair.path('alice', 'public.pem'), pair.path('certs', 'alice.pem'));
  await mediator.next('keys');
  const wrong = await run(['contact', 'follow', 'alice', pair.path('carol', 'public.pem'), ...home('bob')]);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('does not say that it follows the key of alice'),
  });
  const followed = await run(['contact', 'follow', 'alice', pair.path('alice', 'public.pem'), ...home('bob')]);
  expect(followed, followed.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining(next) });
  const { alice, bob } = await bothTalk();
  await alice.next(succeeded('me'));
  await tell(bob, alice, 'found you');
});

it('two successors of one key are both refused, whichever comes first, and the session stays as it was', async () => {
  await pair.startMediator('--follow-successions');
  await befriend();
  const thief = newIdentity();
  const stolen = successionPem(declareSuccession(pair.identity('alice'), thief, 1));
  writeFileSync(pair.path('stolen.pem'), publicPem(thief.privateKey) + stolen);
  const next = await rotate('alice');
  const first = await bothTalk();
  await first.bob.next('succession');
  await quit(first.alice, first.bob);
  const { code, stderr } = await run(['contact', 'follow', 'alice', pair.path('stolen.pem'), ...home('bob')]);
  expect({ code, stderr }).toEqual({ code: 6, stderr: expect.stringContaining('two different successors') });
  const { alice, bob } = await bothTalk();
  expect(await bob.next('error')).toMatchObject({ code: 6 });
  for (const id of [next, thief.id]) {
    bob.send({ command: 'follow', id });
    expect(await bob.next('error')).toMatchObject({ code: 6 });
  }
  await tell(alice, bob, 'by the old key, as before');
});

it('killed at any moment, a rotation leaves a key that works, old or new, and can be finished', async () => {
  await pair.startMediator('--follow-successions');
  await befriend();
  const started = await bothTalk();
  await tell(started.alice, started.bob, 'kept');
  await quit(started.alice, started.bob);
  for (const delayMs of [120, 180, 240, 300, 400]) {
    const old = pair.identity('alice').id;
    const rotation = start(['key', 'rotate', pair.path('alice'), '--bits', '2048', ...home('alice')]);
    await Promise.race([rotation.exited, sleep(delayMs)]);
    await rotation.stop('SIGKILL');
    const now = pair.identity('alice').id;
    const { stdout, stderr } = await run(['history', 'bob', ...home('alice')]);
    expect(stdout, stderr).toContain('kept');
    if (now !== old) expect(readdirSync(`${pair.keys('alice')}.former`)).toContain(`${old}.pem`);
  }
  // Finishes the last one if there is anything to finish.
  await rotate('alice');
  expect(parsePublicPem(readFileSync(pair.path('alice', 'public.pem'), 'utf8')).id).toBe(pair.identity('alice').id);
  const { alice, bob } = await bothTalk();
  // Of each key on the way, too, bob is told.
  const { id } = pair.identity('alice');
  await bob.next((event) => event.event === 'succession' && event.id === id);
  bob.send({ command: 'follow', id });
  await alice.next(succeeded('me'));
});

it('without contacts, by keys on the command line alone, following is remembered too', async () => {
  await pair.startMediator('--follow-successions');
  const first = await pair.meet();
  await tell(first.alice, first.bob, 'before');
  await quit(first.alice, first.bob);
  const oldKey = pair.path('old-alice.pem');
  copyFileSync(pair.path('alice', 'public.pem'), oldKey);
  await rotate('alice');
  copyFileSync(oldKey, pair.path('alice', 'public.pem'));
  const { alice, bob } = await pair.meet();
  const { id } = await bob.next('succession');
  bob.send({ command: 'follow', id });
  await alice.next(succeeded('me'));
  await quit(alice, bob);
  const later = await pair.meet();
  expect(later.bob.events.find(({ event }) => event === 'connected')).toMatchObject({ peer: id });
  expect(later.bob.stderr).toContain('holds a key that another has followed');
});
