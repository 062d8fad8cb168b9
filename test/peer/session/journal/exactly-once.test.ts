import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Journal } from '../../../../src/peer/session/journal/journal.js';
import {
  closeJournal,
  copyAsIs,
  deliverAll,
  meet,
  newFolder,
  openJournal,
  pendingTexts,
  receivedTexts,
  write,
} from './fixture.js';

type Name = 'a' | 'b';
type Step =
  | { do: 'write' | 'crash' | 'backup' | 'restore'; who: Name }
  | { do: 'meet' }
  | { do: 'send'; who: Name; count: number; twice: boolean; acknowledged: boolean };

interface Backup {
  folder: string;
  told: Set<string>;
  received: string[];
}

/** One of the two journals, and what a person who watched could say of it. */
class Side {
  folder = newFolder();
  journal: Journal = openJournal(this.folder);
  live = false;
  restored = false;
  /** Texts of its own that may have left it. */
  told = new Set<string>();
  /** Texts of its own that must be with the other in the end. */
  due = new Set<string>();
  backup: Backup | null = null;

  reopen(folder: string): void {
    closeJournal(this.journal);
    this.folder = folder;
    this.journal = openJournal(folder);
    this.live = false;
  }
}

/** Two journals to which everything happens that can. */
class World {
  readonly sides = { a: new Side(), b: new Side() };
  /** Texts that a restored backup may send again: it cannot know that they were sent after it was made. */
  readonly mayDouble = new Set<string>();
  #written = 0;
  #linked = false;

  take(step: Step): void {
    if (step.do === 'meet') {
      this.meet();
      return;
    }
    const side = this.sides[step.who];
    const other = this.sides[step.who === 'a' ? 'b' : 'a'];
    if (step.do === 'write') this.#write(side);
    else if (step.do === 'send') this.#send(side, other, step);
    else if (step.do === 'backup') {
      side.backup = {
        folder: copyAsIs(side.folder),
        told: new Set(side.told),
        received: receivedTexts(side.journal),
      };
    } else {
      this.#linked = false;
      if (step.do === 'crash') side.reopen(copyAsIs(side.folder));
      else if (side.backup) this.#restore(side, other, side.backup);
    }
  }

  meet(): void {
    meet(this.sides.a.journal, this.sides.b.journal);
    this.#linked = true;
    for (const side of [this.sides.a, this.sides.b]) {
      side.live = true;
      for (const words of pendingTexts(side.journal)) side.told.add(words);
    }
  }

  #write(side: Side): void {
    const words = String(++this.#written);
    write(side.journal, words);
    side.due.add(words);
    if (side.live) side.told.add(words);
  }

  #send(side: Side, other: Side, step: { count: number; twice: boolean; acknowledged: boolean }): void {
    if (!this.#linked) return;
    for (const item of side.journal.outgoing(0, step.count)) {
      other.journal.receive(item);
      if (step.twice) expect(other.journal.receive(item)).toBe(false);
    }
    const { journalId, sequence } = other.journal.peerAck();
    if (step.acknowledged) side.journal.acknowledge(journalId, sequence);
  }

  #restore(side: Side, other: Side, backup: Backup): void {
    side.reopen(copyAsIs(backup.folder));
    const pending = pendingTexts(side.journal);
    for (const words of pending) if (side.restored || !backup.told.has(words)) this.mayDouble.add(words);
    side.restored = true;
    side.told = new Set(backup.told);
    const withOther = new Set(receivedTexts(other.journal));
    side.due = new Set([...[...side.due].filter((words) => withOther.has(words)), ...pending]);
    const kept = new Set(backup.received);
    other.due = new Set([...[...other.due].filter((words) => kept.has(words)), ...pendingTexts(other.journal)]);
  }
}

const who = fc.constantFrom<Name>('a', 'b');
const send = fc.record({
  do: fc.constant('send' as const),
  who,
  count: fc.integer({ min: 1, max: 4 }),
  twice: fc.boolean(),
  acknowledged: fc.boolean(),
});
const calm: fc.WeightedArbitrary<Step>[] = [
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), who }) },
  { weight: 4, arbitrary: send },
  { weight: 2, arbitrary: fc.constant({ do: 'meet' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), who }) },
];
/** Of one side alone: where both went back in time, one may count as held what it only passed over. */
const withBackups: fc.WeightedArbitrary<Step>[] = [
  ...calm,
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('backup' as const, 'restore' as const), who: fc.constant<Name>('a') }),
  },
];

/** Long enough for what takes several steps, such as writing to a restored backup. */
const LENGTH = { maxLength: 60, size: 'max' } as const;

function playOut(steps: Step[]): World {
  const world = new World();
  for (const step of steps) world.take(step);
  world.meet();
  const { a, b } = world.sides;
  deliverAll(a.journal, b.journal);
  deliverAll(b.journal, a.journal);
  return world;
}

function expectAllAcknowledged({ journal }: Side): void {
  expect(journal.outboxSize()).toBe(0);
  const mine = journal.history(1_000_000).filter((line) => line.from === 'me');
  for (const line of mine) expect(line.state).toBe('delivered');
}

describe('two journals', () => {
  it('hold every text exactly once and in order, whatever is sent twice, unacknowledged, or cut off by a crash', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...calm), LENGTH), (steps) => {
        const { a, b } = playOut(steps).sides;
        expect(receivedTexts(b.journal)).toEqual([...a.due]);
        expect(receivedTexts(a.journal)).toEqual([...b.due]);
        expectAllAcknowledged(a);
        expectAllAcknowledged(b);
        closeJournal(a.journal);
        closeJournal(b.journal);
      }),
      { numRuns: 40 },
    );
  });

  it('lose nothing that either still has, and keep the order, when one goes back to a backup', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...withBackups), LENGTH), (steps) => {
        const { sides, mayDouble } = playOut(steps);
        for (const [from, to] of [
          [sides.a, sides.b],
          [sides.b, sides.a],
        ] as const) {
          const received = receivedTexts(to.journal);
          expect(received).toEqual(expect.arrayContaining([...from.due]));
          const once = received.filter((words) => !mayDouble.has(words)).map(Number);
          expect(once).toEqual([...new Set(once)].sort((x, y) => x - y));
          const ids = to.journal.history(1_000_000).map((line) => line.id);
          expect(new Set(ids).size).toBe(ids.length);
          expectAllAcknowledged(from);
        }
        closeJournal(sides.a.journal);
        closeJournal(sides.b.journal);
      }),
      { numRuns: 60 },
    );
  });
});
