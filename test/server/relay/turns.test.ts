import { describe, expect, it } from 'vitest';
import { Turns, type TurnTaker } from '../../../src/server/relay/turns.js';

const nextPass = () => new Promise((resolve) => setImmediate(resolve));

/** Has so many bytes to move. */
class Mover implements TurnTaker {
  moved = 0;
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  takeTurn(bytes: number): { moved: number; more: boolean } {
    const moved = Math.min(bytes, this.#left);
    this.#left -= moved;
    this.moved += moved;
    return { moved, more: this.#left > 0 };
  }
}

const MIB = 1024 * 1024;

describe('who asks for a turn', () => {
  it('has it before the event loop looks at sockets again', async () => {
    const mover = new Mover(100);
    new Turns().ask(mover);
    expect(mover.moved).toBe(0);
    await nextPass();
    expect(mover.moved).toBe(100);
  });

  it('moves no more than a pass allows before other things have their turn', async () => {
    const turns = new Turns();
    const mover = new Mover(3 * MIB);
    turns.ask(mover);
    await nextPass();
    expect(mover.moved).toBe(MIB);
    await nextPass();
    expect(mover.moved).toBe(2 * MIB);
    turns.stop();
    await nextPass();
    expect(mover.moved).toBe(2 * MIB);
  });

  it('gets as much as those who came before, and does not wait until they have done', async () => {
    const turns = new Turns();
    const early = Array.from({ length: 30 }, () => new Mover(100 * MIB));
    for (const mover of early) turns.ask(mover);
    await nextPass();
    const before = early.map(({ moved }) => moved);
    const late = new Mover(100 * MIB);
    turns.ask(late);
    for (let pass = 0; pass < 20; pass++) await nextPass();
    turns.stop();
    expect(late.moved).toBeGreaterThanOrEqual(9 * 64 * 1024);
    for (const [at, { moved }] of early.entries()) {
      expect(Math.abs(moved - (before[at] ?? 0) - late.moved)).toBeLessThanOrEqual(64 * 1024);
    }
  });

  it('is not outrun by one who can always go on, though it has something only now and then', async () => {
    const turns = new Turns();
    const greedy = new Mover(1000 * MIB);
    turns.ask(greedy);
    const halting: TurnTaker = { takeTurn: () => ({ moved: 1, more: false }) };
    for (let pass = 0; pass < 40; pass++) {
      if (pass % 4 === 0) turns.ask(halting);
      await nextPass();
    }
    turns.stop();
    expect(greedy.moved).toBeLessThan(MIB + 40 * 64 * 1024);
  });

  it('may move more again when others have not been there for a while', async () => {
    const turns = new Turns();
    const [one, other] = [new Mover(1000 * MIB), new Mover(1)];
    turns.ask(other);
    turns.ask(one);
    await nextPass();
    expect(one.moved).toBe(64 * 1024);
    for (let pass = 0; pass < 20; pass++) await nextPass();
    turns.stop();
    expect(one.moved).toBeGreaterThan(2 * MIB);
  });

  it('has one turn at a time, however often it asks', async () => {
    const turns = new Turns();
    let turnsTaken = 0;
    const mover: TurnTaker = {
      takeTurn: () => {
        turnsTaken += 1;
        turns.ask(mover);
        return { moved: 0, more: true };
      },
    };
    turns.ask(mover);
    turns.ask(mover);
    for (let pass = 1; pass <= 3; pass++) {
      await nextPass();
      expect(turnsTaken).toBe(pass);
    }
    turns.stop();
  });
});
