import { expect, onTestFinished, test, vi } from 'vitest';
import { CrowdedError, HandshakeTurns } from '../../src/server/handshake-turns.js';

const nextRound = () => new Promise((resolve) => setImmediate(resolve));

/** Notes by name who had a turn, and who was turned away. */
class Watched {
  readonly turns: HandshakeTurns;
  readonly begun: string[] = [];
  readonly turnedAway: string[] = [];

  constructor(maxWaiting?: number) {
    this.turns = new HandshakeTurns(maxWaiting);
  }

  take(name: string, network: string, { known = false, signal = new AbortController().signal } = {}): void {
    this.turns.take(network, known, signal).then(
      () => this.begun.push(name),
      (error) => void (error instanceof CrowdedError && this.turnedAway.push(name)),
    );
  }

  async rounds(count: number): Promise<void> {
    for (let round = 0; round < count; round++) await nextRound();
  }
}

test('one handshake begins in each round of the event loop', async () => {
  const watched = new Watched();
  for (let number = 0; number < 5; number++) watched.take(String(number), 'here');
  for (let round = 1; round <= 5; round++) {
    await nextRound();
    expect(watched.begun).toHaveLength(round);
  }
  expect(watched.begun).toEqual(['0', '1', '2', '3', '4']);
});

test('networks take turns, however many handshakes each wants', async () => {
  const watched = new Watched();
  for (let number = 0; number < 100; number++) watched.take(`flood ${number}`, 'flood');
  watched.take('honest', 'elsewhere');
  await watched.rounds(2);
  expect(watched.begun).toEqual(['flood 0', 'honest']);
});

test('of two turns one is for networks known for an admission', async () => {
  const watched = new Watched();
  for (let number = 0; number < 500; number++) watched.take('stranger', `network ${number}`);
  watched.take('friend', 'home', { known: true });
  watched.take('friend', 'home', { known: true });
  await watched.rounds(4);
  expect(watched.begun.toSorted()).toEqual(['friend', 'friend', 'stranger', 'stranger']);
});

test('of too many who wait, the last of the network that has most is turned away', async () => {
  const watched = new Watched(4);
  for (const name of ['a', 'b', 'c']) watched.take(name, 'flood');
  watched.take('honest', 'elsewhere');
  watched.take('another', 'a third');
  watched.take('d', 'flood');
  await watched.rounds(6);
  expect(watched.turnedAway).toEqual(['c', 'd']);
  expect(watched.begun).toEqual(['a', 'honest', 'another', 'b']);
});

test('who has gone needs no turn', async () => {
  const watched = new Watched();
  const leaving = new AbortController();
  watched.take('gone', 'here', { signal: leaving.signal });
  watched.take('still there', 'here');
  leaving.abort(new Error('gone'));
  await nextRound();
  expect(watched.begun).toEqual(['still there']);
  expect(watched.turnedAway).toEqual([]);
});

test('who comes when nobody waits waits for nothing', async () => {
  const watched = new Watched();
  for (const known of [true, false, false, true]) {
    watched.take('alone', 'here', { known });
    await nextRound();
  }
  expect(watched.begun).toHaveLength(4);
});

test('a flood from unknown networks gets but a part of the time, and known ones wait for none of it', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const watched = new Watched();
  const busyRounds = async (count: number) => {
    for (let round = 0; round < count; round++) {
      vi.advanceTimersByTime(5);
      await nextRound();
    }
  };
  for (let number = 0; number < 1_000; number++) watched.take('stranger', `network ${number}`);
  await watched.rounds(256);
  expect(watched.begun.length).toBeGreaterThanOrEqual(256);
  // Each turn now takes a while, and is followed by a rest.
  const before = watched.begun.length;
  await busyRounds(20);
  expect(watched.begun.length - before).toBeLessThan(12);
  watched.take('friend', 'home', { known: true });
  await watched.rounds(2);
  expect(watched.begun).toContain('friend');
  await busyRounds(200);
  expect(watched.begun.length).toBeGreaterThan(before + 12);
  watched.turns.stop();
});
