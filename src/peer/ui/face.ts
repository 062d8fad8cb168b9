/** One way of showing a session to whoever is there. */
export interface Face {
  /** Resolves when the person wants to leave (or the input's end means so). It never rejects. */
  done: Promise<void>;
  /** Gives the terminal back as it was. Synchronous, may be called again, and safe in an exit handler. */
  stop(): void;
}

/** A promise to be kept later; keeping it again does nothing. */
export interface Ending<T> {
  done: Promise<T>;
  finish(value: T): void;
}

export function newEnding<T = void>(): Ending<T> {
  let finish: (value: T) => void = () => {};
  const done = new Promise<T>((resolve) => {
    finish = resolve;
  });
  return { done, finish };
}
