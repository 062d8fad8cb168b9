/** What is written at once. Larger than any frame. */
export const SLOT_BYTES = 1024 * 1024;
/** One is filled while another is written, and the rest bridge the time until either side looks again. */
const SLOTS = 4;

/** Memory for a part of a stream that a thread shares. */
export class ReceivingSlot {
  readonly memory = new SharedArrayBuffer(SLOT_BYTES);
  readonly #bytes = Buffer.from(this.memory);
  readonly #onFree: () => void;
  #used = 0;

  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  /** Appends them; returns where they begin. */
  add(parts: readonly Buffer[]): number {
    const start = this.#used;
    for (const part of parts) {
      this.#bytes.set(part, this.#used);
      this.#used += part.length;
    }
    return start;
  }

  giveBack(): void {
    this.#used = 0;
    this.#onFree();
  }
}

/** The few slots that all transfers share. */
export class ReceivingSlots {
  readonly #free: ReceivingSlot[] = [];
  readonly #waiting = new Set<() => void>();
  #made = 0;

  /** To be given back. Null if all are in use: `whenFree` is called when it is worth asking again. */
  take(whenFree: () => void): ReceivingSlot | null {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#made === SLOTS) {
      this.#waiting.add(whenFree);
      return null;
    }
    this.#made += 1;
    const slot = new ReceivingSlot(() => {
      this.#free.push(slot);
      this.#wakeAll();
    });
    return slot;
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
