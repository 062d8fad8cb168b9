/** Where everything is quick this is long enough for a handshake, and for the session to move to the new link. */
export const PATIENCE_MS = 300;

/** The connection is open, and the session has a link already that is at least as good. */
export class NotNeededError extends Error {
  override readonly name = 'NotNeededError';
  constructor() {
    super('opened, but not needed: there is a link as good');
  }
}

interface Contender {
  /** Lower is better. */
  preference: number;
}

interface Waiter extends Contender {
  begin(): void;
  giveUp(): void;
}

/**
 * Many connections may open at once, where both sides have several addresses say, and each second handshake costs both
 * sides two signatures, though one link is all that a session needs. So a connection waits while one that is at least as
 * good is ahead of it; but never for long, for that one may be dead, or kept so by somebody who means ill.
 *
 * Only for the side that speaks first in TLS: of two who wait, each might wait for what the other holds back.
 */
export class BestFirst {
  /** In their handshake, or through it. */
  readonly #ahead = new Set<Contender>();
  readonly #waiting = new Set<Waiter>();
  #chosen: (Contender & { isOpen(): boolean }) | null = null;

  /** Does `handshake` when its turn has come. Rejects as it does, with a NotNeededError, or with the signal's reason. */
  async run<T>(preference: number, signal: AbortSignal, handshake: () => Promise<T>): Promise<T> {
    const contender = await this.#turn(preference, signal);
    try {
      return await handshake();
    } catch (error) {
      this.#ahead.delete(contender);
      this.#letNextBegin();
      throw error;
    }
  }

  /** The session runs over a link of this preference: for as long as it is open, nobody need begin who is no better. */
  chosen(preference: number, isOpen: () => boolean): void {
    this.#chosen = { preference, isOpen };
    for (const waiter of [...this.#waiting]) if (!this.#isNeeded(waiter)) waiter.giveUp();
  }

  #turn(preference: number, signal: AbortSignal): Promise<Contender> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        settle();
        reject(signal.reason);
      };
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        preference,
        begin: () => {
          settle();
          this.#ahead.add(waiter);
          resolve(waiter);
        },
        giveUp: () => {
          settle();
          reject(new NotNeededError());
        },
      };
      if (signal.aborted) return reject(signal.reason);
      if (!this.#isNeeded(waiter)) return reject(new NotNeededError());
      const timer = setTimeout(waiter.begin, PATIENCE_MS);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
      if (!this.#mustWait(waiter)) waiter.begin();
    });
  }

  /** The best of those who wait; among equals the first to come. */
  #letNextBegin(): void {
    const [next] = [...this.#waiting].sort((a, b) => a.preference - b.preference);
    if (next && !this.#mustWait(next)) next.begin();
  }

  #isNeeded({ preference }: Contender): boolean {
    return !this.#chosen?.isOpen() || preference < this.#chosen.preference;
  }

  #mustWait({ preference }: Contender): boolean {
    return [...this.#ahead].some((contender) => contender.preference <= preference);
  }
}
