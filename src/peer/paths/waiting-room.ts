import type { Duplex } from 'node:stream';

/** More than peers open at once. */
export const MAX_WAITING = 48;

/**
 * Streams that somebody opened to us and on which no preface that we know has come yet. When they are too many, whoever
 * has waited longest has to go: a peer speaks at once, and strangers who say nothing must not keep it out.
 */
export class WaitingRoom {
  readonly #waiting = new Set<Duplex>();

  enter(stream: Duplex): void {
    const [longest] = this.#waiting;
    if (longest && this.#waiting.size >= MAX_WAITING) {
      longest.destroy();
      this.leave(longest);
    }
    this.#waiting.add(stream);
    stream.once('close', () => this.leave(stream));
  }

  leave(stream: Duplex): void {
    this.#waiting.delete(stream);
  }
}
