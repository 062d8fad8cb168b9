import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Name, OTHER, Pair } from '../support/pair.js';
import { type RunningProgram, stopAll } from '../support/program.js';

/** One person with a program that is killed again and again, and what was ever seen of it. */
class Person {
  readonly said: { ref: string; text: string }[] = [];
  /** Ids of the peer's messages, each once, in the order in which they first came. */
  readonly heard: { id: string; text: string }[] = [];
  readonly confirmedRefs = new Set<string>();
  readonly delivered = new Set<string>();
  readonly files: string[] = [];
  readonly transferred = new Set<string>();
  readonly name: Name;
  readonly #pair: Pair;
  program: RunningProgram;
  #seen = 0;

  constructor(pair: Pair, name: Name) {
    this.#pair = pair;
    this.name = name;
    this.program = pair.startPeer(name);
  }

  say(text: string): void {
    const ref = `${this.name} ${this.said.length}`;
    this.said.push({ ref, text });
    this.program.send({ command: 'message', ref, text });
  }

  /** A person whose program was killed says again what it never confirmed. */
  async restart(): Promise<void> {
    this.look();
    this.program = this.#pair.startPeer(this.name);
    this.#seen = 0;
    for (const { ref, text } of this.said) {
      if (!this.confirmedRefs.has(ref)) this.program.send({ command: 'message', ref, text });
    }
  }

  async die(): Promise<void> {
    await this.program.stop('SIGKILL');
    this.look();
  }

  look(): void {
    for (const event of this.program.events.slice(this.#seen)) this.#take(event);
    this.#seen = this.program.events.length;
  }

  #take(event: Record<string, unknown>): void {
    const id = String(event.id);
    if (event.event === 'message' && event.from === 'me') this.confirmedRefs.add(String(event.ref));
    if (event.event === 'message' && event.from === 'peer' && !this.heard.some((each) => each.id === id)) {
      this.heard.push({ id, text: String(event.text) });
    }
    if (event.event === 'delivered') this.delivered.add(id);
    if (event.event === 'file') this.files.push(String(event.path));
    if (event.event === 'transferred') this.transferred.add(String(event.transfer));
  }
}

let pair: Pair;

beforeEach(() => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

it('twenty kills of either peer or the mediator in mid-conversation lose and double no message', async () => {
  let mediator = await pair.startMediator();
  const people = { alice: new Person(pair, 'alice'), bob: new Person(pair, 'bob') };
  const both = Object.values(people);
  await Promise.all(both.map(({ program }) => program.next('connected')));
  for (let round = 0; round < 20; round += 1) {
    for (let line = 0; line < 5; line += 1) for (const person of both) person.say(`${person.name} ${round}.${line}`);
    const victim = (['alice', 'bob', 'mediator'] as const)[round % 3];
    // Some are killed at once, some when a word of this round has got through.
    if (round % 2 === 0) await people.bob.program.next((event) => event.event === 'message' && event.from === 'peer');
    if (victim === 'mediator' || victim === undefined) {
      await mediator.stop('SIGKILL');
      mediator = await pair.startMediator();
    } else {
      await people[victim].die();
      await people[victim].restart();
      await people[victim].program.next('connected');
    }
  }
  for (const person of both) await untilHeard(people[OTHER[person.name]], person.said.length);
  for (const person of both) {
    const heard = people[OTHER[person.name]].heard;
    expect(heard.map(({ text }) => text)).toEqual(person.said.map(({ text }) => text));
    expect(new Set(heard.map(({ id }) => id)).size).toBe(heard.length);
  }
});

it('files both ways arrive whole although everything is killed in turn on the way', async () => {
  const bytes = 48 * 1024 * 1024;
  let mediator = await pair.startMediator();
  const people = { alice: new Person(pair, 'alice'), bob: new Person(pair, 'bob') };
  const both = Object.values(people);
  await Promise.all(both.map(({ program }) => program.next('connected')));
  for (const { name, program } of both) {
    writeFileSync(pair.path(`${name}.bin`), randomBytes(bytes));
    program.send({ command: 'send', paths: [pair.path(`${name}.bin`)], ref: 'file' });
    const { transfer } = await people[OTHER[name]].program.next('offer');
    people[OTHER[name]].program.send({ command: 'accept', transfer, into: pair.path(`${OTHER[name]}-files`) });
    await program.next((event) => event.event === 'accepted' && event.transfer === transfer);
  }
  for (let round = 0; round < 6; round += 1) {
    const victim = (['alice', 'mediator', 'bob'] as const)[round % 3];
    for (const person of both) person.look();
    // Who was told before the last kill is not told again.
    if (people.alice.transferred.size === 2) break;
    await people.alice.program.next(({ event }) => event === 'progress' || event === 'transferred');
    if (victim === 'mediator' || victim === undefined) {
      await mediator.stop('SIGKILL');
      mediator = await pair.startMediator();
    } else {
      await people[victim].die();
      await people[victim].restart();
    }
  }
  for (const { name } of both) {
    const into = pair.path(`${OTHER[name]}-files`);
    await expect.poll(() => readdirSync(into), { timeout: 60_000 }).toEqual([`${name}.bin`]);
    expect(sha256(`${into}/${name}.bin`)).toBe(sha256(pair.path(`${name}.bin`)));
  }
});

async function untilHeard(person: Person, count: number): Promise<void> {
  await expect
    .poll(
      () => {
        person.look();
        return person.heard.length;
      },
      { timeout: 30_000 },
    )
    .toBe(count);
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
