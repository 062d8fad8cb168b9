import { expect } from 'vitest';
import type { LabMeeting } from './meeting.js';

const EVERY_MS = 400;
const LAST_MS = 20_000;
const OTHER = { a: 'b', b: 'a' } as const;

/** Two who say something again and again, whatever happens. */
export class Chat {
  readonly #meeting: LabMeeting;
  readonly #said = { a: [] as { text: string; atMs: number }[], b: [] as { text: string; atMs: number }[] };
  readonly #timer: NodeJS.Timeout;

  constructor(meeting: LabMeeting) {
    this.#meeting = meeting;
    this.#timer = setInterval(() => this.#say(), EVERY_MS);
  }

  /** Each text must have come once and in order. Resolves to the longest time that one took, in milliseconds. */
  async stop(): Promise<number> {
    clearInterval(this.#timer);
    const waits = await Promise.all([this.#waitsOf('a'), this.#waitsOf('b')]);
    return Math.max(...waits.flat());
  }

  #say(): void {
    for (const side of ['a', 'b'] as const) {
      const text = `${side} says ${this.#said[side].length}`;
      this.#said[side].push({ text, atMs: this.#meeting.elapsedMs });
      this.#meeting.command(side, { command: 'message', text });
    }
  }

  async #waitsOf(side: 'a' | 'b'): Promise<number[]> {
    const said = this.#said[side];
    const last = said.at(-1)?.text;
    await this.#meeting.event(OTHER[side], ({ text, from }) => text === last && from === 'peer', LAST_MS);
    const heard = this.#meeting.events[OTHER[side]].filter(
      ({ from, text }) => from === 'peer' && String(text).startsWith(`${side} says `),
    );
    expect(heard.map(({ text }) => text)).toEqual(said.map(({ text }) => text));
    return heard.map(({ atMs }, at) => atMs - (said[at]?.atMs ?? atMs));
  }
}
