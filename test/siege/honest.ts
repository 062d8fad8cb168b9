import { registerWith } from '../support/mediator-client.js';
import type { Pair } from '../support/pair.js';
import type { ProgramEvent, RunningProgram } from '../support/program.js';

/** How two honest people fare, ms. */
export interface Experience {
  /** From the start of both programs until they have met and said all that they had to say. */
  whole: number;
  /** From the start of both programs until both are connected. */
  meet: number;
  /** From one program's stdin to the other's stdout, over the relay: the median of several messages. */
  chat: number;
  /** From connecting to the mediator until it admits a peer: meeting without the start of the programs. */
  knock: number;
}

const MESSAGES = 11;

const PATIENCE_MS = 12_000;

/** As meetOnce, and Infinity where they do not meet, chat or get in. */
export async function tryToMeet(pair: Pair): Promise<Experience> {
  const knock = await knockOnce(pair).catch(() => Number.POSITIVE_INFINITY);
  try {
    return { ...(await meetOnce(pair)), knock };
  } catch (error) {
    // What the program said is worth more than the number.
    console.log(error instanceof Error ? error.message : error);
    const never = Number.POSITIVE_INFINITY;
    return { whole: never, meet: never, chat: never, knock };
  }
}

/** Two real programs meet, chat and leave. They use the relay alone: what is said goes through the mediator. */
async function meetOnce(pair: Pair): Promise<Omit<Experience, 'knock'>> {
  const startedAt = performance.now();
  const options = ['--paths', 'relay', '--no-port-mapping'];
  const people = [pair.startPeer('alice', ...options), pair.startPeer('bob', ...options)] as const;
  try {
    await Promise.all(people.map((person) => person.next('connected', PATIENCE_MS)));
    const meet = performance.now() - startedAt;
    const chat = await chatting(people);
    const whole = performance.now() - startedAt;
    for (const person of people) person.send({ command: 'quit' });
    await Promise.all(people.map((person) => person.exited));
    return { whole, meet, chat };
  } finally {
    await Promise.all(people.map((person) => person.stop()));
  }
}

async function chatting([alice, bob]: readonly [RunningProgram, RunningProgram]): Promise<number> {
  const times: number[] = [];
  for (let number = 0; number < MESSAGES; number++) {
    const [from, to] = number % 2 === 0 ? [alice, bob] : [bob, alice];
    const text = `message ${number}`;
    const saidAt = performance.now();
    from.send({ command: 'message', text });
    const isIt = (event: ProgramEvent) => event.event === 'message' && event.text === text && event.from === 'peer';
    await to.next(isIt, PATIENCE_MS);
    times.push(performance.now() - saidAt);
  }
  return median(times);
}

async function knockOnce(pair: Pair): Promise<number> {
  const [carol, bob] = [pair.identity('carol'), pair.identity('bob')];
  const startedAt = performance.now();
  const client = await registerWith({ port: pair.port }, carol, bob.id);
  const knock = performance.now() - startedAt;
  client.close();
  return knock;
}

export function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
