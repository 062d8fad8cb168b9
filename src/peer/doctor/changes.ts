/** Things that change, and somebody who waits until they are as they should be. */
export class Changes {
  readonly #looking = new Set<() => void>();

  /** Something may be different now. */
  tell(): void {
    for (const look of [...this.#looking]) look();
  }

  /**
   * Rejects with what `done` throws, or with the signal's reason.
   * @param timeoutMs null: for as long as it takes
   * @returns false if the time is over first
   */
  async until(done: () => boolean, timeoutMs: number | null, signal: AbortSignal): Promise<boolean> {
    let end = () => {};
    try {
      return await new Promise<boolean>((resolve, reject) => {
        const look = () => {
          try {
            signal.throwIfAborted();
            if (done()) resolve(true);
          } catch (error) {
            reject(error);
          }
        };
        const timer = timeoutMs === null ? undefined : setTimeout(() => resolve(false), timeoutMs);
        end = () => {
          clearTimeout(timer);
          this.#looking.delete(look);
          signal.removeEventListener('abort', look);
        };
        this.#looking.add(look);
        signal.addEventListener('abort', look);
        look();
      });
    } finally {
      end();
    }
  }
}
