import { setTimeout as sleep } from 'node:timers/promises';
import type { House, Name } from './house.js';
import type { Talker } from './talker.js';

const OTHER = { alice: 'bob', bob: 'alice' } as const;
/** For other paths to have been tried and closed. */
const SETTLE_MS = 1_500;

/** Two people in JSON mode, once they talk over `path`. */
export class Pair {
  readonly #people: Record<Name, Talker>;

  private constructor(people: Record<Name, Talker>) {
    this.#people = people;
  }

  static async meet(house: House, path: string, ...options: string[]): Promise<Pair> {
    const people = { alice: house.talk('alice', ...options), bob: house.talk('bob', ...options) };
    await Promise.all(Object.values(people).map((person) => person.over(path)));
    await sleep(SETTLE_MS);
    return new Pair(people);
  }

  person(name: Name): Talker {
    return this.#people[name];
  }

  /** From the command to send until the sender knows that all of it is received, verified and in place. */
  async send(from: Name, path: string, into: string): Promise<void> {
    const [sender, receiver] = [this.#people[from], this.#people[OTHER[from]]];
    const ref = `${from} ${performance.now()}`;
    sender.command({ command: 'send', paths: [path], ref });
    const { transfer } = await sender.event((event) => event.event === 'offered' && event.ref === ref);
    await receiver.event((event) => event.event === 'offer' && event.transfer === transfer);
    receiver.command({ command: 'accept', transfer, into });
    await sender.event((event) => event.event === 'transferred' && event.transfer === transfer);
  }

  async part(): Promise<void> {
    await Promise.all(Object.values(this.#people).map((person) => person.stop()));
  }

  async kill(): Promise<void> {
    await Promise.all(Object.values(this.#people).map((person) => person.stop('SIGKILL')));
  }
}
