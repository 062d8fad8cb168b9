import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { attributesBelow, survey } from '../peer/files/helpers/tree.js';
import { OTHER, Pair } from '../support/pair.js';
import type { RunningProgram } from '../support/program.js';
import { inspect } from './inspection.js';
import { Person } from './person.js';
import { Random } from './random.js';
import { unpack } from './shipment.js';

export interface CrashOptions {
  seconds: number;
  seed: number;
  /** Told every now and then how far it is. */
  report?(figures: Figures): void;
}

export interface Figures {
  kills: { alice: number; bob: number; mediator: number };
  messages: number;
  replayed: number;
  transfers: number;
  files: number;
  bytes: number;
  seconds: number;
}

export interface Outcome extends Figures {
  /** What should never happen; empty if all is well. */
  findings: string[];
}

type Victim = 'alice' | 'bob' | 'mediator';

const LOOK_MS = 10;
const REPORT_MS = 20_000;
const SETTLE_MS = 120_000;
const MAX_UNFINISHED = 6;
/** A slow machine takes longer than its time for as much. */
const LEAST_KILLS = 6;
/** Right after these the most is at stake. */
const MOMENTS = [
  'message',
  'delivered',
  'offer',
  'offered',
  'accepted',
  'progress',
  'file',
  'transferred',
  'cancelled',
];

/**
 * The real mediator and two real peers, who chat and send each other files all the time while each of the three is
 * killed (-9) again and again. Afterwards what they told is compared with what was asked of them, with what their
 * journals hold, and with what lies on the disk. The seed repeats the plan, not the timing.
 */
export async function crashRun(options: CrashOptions): Promise<Outcome> {
  const run = new CrashRun(options);
  try {
    return await run.run();
  } finally {
    await run.remove();
  }
}

class CrashRun {
  readonly #o: CrashOptions;
  readonly #pair = new Pair();
  readonly #random: Random;
  readonly #findings = new Set<string>();
  readonly #kills = { alice: 0, bob: 0, mediator: 0 };
  readonly #begun = performance.now();
  readonly #landed = { transfers: 0, files: 0, bytes: 0 };
  #people: { alice: Person; bob: Person } | null = null;
  #mediator: RunningProgram | null = null;

  constructor(options: CrashOptions) {
    this.#o = options;
    this.#random = new Random(options.seed);
  }

  async run(): Promise<Outcome> {
    this.#mediator = await this.#pair.startMediator();
    const finding = (what: string) => this.#findings.add(what);
    const person = (name: 'alice' | 'bob') => new Person(this.#pair, name, this.#random.fork(), finding);
    const people = { alice: person('alice'), bob: person('bob') };
    this.#people = people;
    const everybody = [people.alice, people.bob];
    const looking = setInterval(() => {
      for (const each of everybody) each.look();
      this.#checkLanded(everybody);
    }, LOOK_MS);
    const reporting = setInterval(() => this.#o.report?.(this.#figures(everybody)), REPORT_MS);
    try {
      await Promise.all([
        ...everybody.map((each) => this.#talk(each, this.#random.fork())),
        ...everybody.map((each) => this.#ship(each, this.#random.fork())),
        this.#killAway(people, this.#random.fork()),
      ]);
      for (const each of everybody) each.becomeSteady();
      await this.#settle(everybody);
      for (const each of everybody) await each.quit();
    } finally {
      clearInterval(looking);
      clearInterval(reporting);
    }
    this.#checkLanded(everybody);
    for (const each of everybody) inspect(this.#pair, each, people[OTHER[each.name]], finding);
    return { ...this.#figures(everybody), findings: [...this.#findings] };
  }

  async remove(): Promise<void> {
    const programs = [this.#mediator, this.#people?.alice.program, this.#people?.bob.program];
    await Promise.all(programs.map((program) => program?.stop('SIGKILL')));
    this.#pair.remove();
  }

  get #isOver(): boolean {
    const { alice, bob, mediator } = this.#kills;
    return performance.now() - this.#begun > this.#o.seconds * 1000 && alice + bob + mediator >= LEAST_KILLS;
  }

  async #talk(person: Person, random: Random): Promise<void> {
    while (!this.#isOver) {
      for (let count = random.pick([1, 1, 1, 1, 1, 1, 1, 1, 1, 40]); count > 0; count -= 1) {
        person.say(`${person.name} says line ${person.said.length} ${'…'.repeat(random.pick([0, 10, 2000]))}`);
      }
      await sleep(random.between(20, 400));
    }
  }

  async #ship(person: Person, random: Random): Promise<void> {
    while (!this.#isOver) {
      if (this.#unfinished(person) < (random.chance(0.1) ? 2 * MAX_UNFINISHED : MAX_UNFINISHED)) person.ship();
      await sleep(random.between(50, 800));
    }
  }

  #unfinished(person: Person): number {
    const reader = this.#people?.[OTHER[person.name]];
    return person.shipments.filter(({ ref, landed }) => {
      const transfer = person.offered.get(ref) ?? '';
      return !landed && !person.calledOff(transfer) && !reader?.calledOff(transfer);
    }).length;
  }

  async #killAway(people: { alice: Person; bob: Person }, random: Random): Promise<void> {
    while (!this.#isOver) {
      const victim = random.pick<Victim>(['alice', 'bob', 'alice', 'bob', 'mediator']);
      switch (random.pick(['later', 'moment', 'moment', 'burst', 'both'])) {
        case 'later':
          await sleep(random.between(100, 5000));
          await this.#kill(victim);
          break;
        case 'moment':
          if (victim !== 'mediator') await this.#untilMoment(people[victim], random);
          await this.#kill(victim);
          break;
        case 'burst':
          for (let count = random.between(2, 5); count > 0; count -= 1) {
            await this.#kill(victim);
            await sleep(random.between(0, 900));
          }
          break;
        case 'both':
          await sleep(random.between(0, 3000));
          await Promise.all([
            this.#kill('alice'),
            this.#kill('bob'),
            ...(random.chance(0.3) ? [this.#kill('mediator')] : []),
          ]);
          break;
      }
      // Without a meeting now and then there would be nothing to break.
      if (random.chance(0.8)) await this.#untilMet(people);
    }
  }

  async #kill(victim: Victim): Promise<void> {
    this.#kills[victim] += 1;
    if (victim === 'mediator') {
      await this.#mediator?.stop('SIGKILL');
      this.#mediator = await this.#pair.startMediator();
      return;
    }
    const person = this.#people?.[victim];
    await person?.kill();
    person?.restart();
  }

  async #untilMoment(person: Person, random: Random): Promise<void> {
    const wanted = random.pick(MOMENTS as [string, ...string[]]);
    const later = random.pick([0, 0, 1, 5, 20]);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 4_000);
      person.onEvent = ({ event }) => {
        if (event !== wanted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    person.onEvent = () => {};
    if (later > 0) await sleep(later);
  }

  async #untilMet({ alice, bob }: { alice: Person; bob: Person }): Promise<void> {
    const met = ({ program }: Person) => program.events.some(({ event }) => event === 'connected');
    const deadline = performance.now() + 30_000;
    while (!met(alice) || !met(bob)) {
      if (performance.now() > deadline) {
        this.#findings.add('they did not meet within 30 s');
        return;
      }
      await sleep(LOOK_MS);
    }
  }

  /** Until both have confirmed everything, nothing is queued, and no transfer is under way. */
  async #settle(everybody: Person[]): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    for (const person of everybody) {
      for (;;) {
        person.program.send({ command: 'status' });
        const status = await person.program.next('status');
        const unconfirmed = [...person.said, ...person.shipments].filter(
          ({ ref }) => !person.confirmed.has(ref) && !person.offered.has(ref),
        );
        if (status.outbox === 0 && isDeepStrictEqual(status.transfers, []) && unconfirmed.length === 0) break;
        if (performance.now() > deadline) {
          const refs = unconfirmed.slice(0, 5).map(({ ref }) => ref);
          this.#findings.add(`${person.name} does not settle: ${JSON.stringify(status)}, unconfirmed ${refs}`);
          break;
        }
        await sleep(100);
      }
    }
  }

  /** Looks at what both have told to be in place, and takes it away: an hour's files would fill the disk. */
  #checkLanded(everybody: Person[]): void {
    for (const sender of everybody) {
      const receiver = everybody.find((each) => each !== sender);
      for (const shipment of sender.shipments) {
        const transfer = sender.offered.get(shipment.ref);
        if (shipment.landed || transfer === undefined || !receiver?.transferred.has(transfer)) continue;
        if (!sender.transferred.has(transfer)) continue;
        const folder = receiver.folderOf(transfer);
        const there = survey(folder);
        const wrong = Object.keys({ ...shipment.tree, ...there }).filter((name) => there[name] !== shipment.tree[name]);
        if (wrong.length > 0) {
          const which = wrong.map((name) => `${name} (${name in there ? 'is' : 'is not'} there)`);
          this.#findings.add(`${transfer} from ${sender.name} is in place wrongly: ${which.join(', ')}`);
        }
        const looks = attributesBelow(folder);
        const altered = Object.keys(looks).filter((name) => looks[name] !== shipment.attributes[name]);
        if (wrong.length === 0 && altered.length > 0) {
          this.#findings.add(`${transfer} from ${sender.name} has other modes or times: ${altered.join(', ')}`);
        }
        shipment.landed = true;
        unpack(shipment);
        rmSync(folder, { recursive: true, force: true });
        this.#landed.transfers += 1;
        this.#landed.files += shipment.files;
        this.#landed.bytes += shipment.bytes;
      }
    }
  }

  #figures(everybody: Person[]): Figures {
    const sum = (count: (person: Person) => number) => everybody.reduce((total, person) => total + count(person), 0);
    return {
      kills: { ...this.#kills },
      messages: sum(({ heard }) => heard.size),
      replayed: sum(({ replays }) => replays),
      ...this.#landed,
      seconds: Math.round((performance.now() - this.#begun) / 1000),
    };
  }
}
