/** What is written at once. Larger than any frame. */
export const SLOT_BYTES = 1024 * 1024;
/** One is filled while another is written, and the rest bridge the time until either side looks again. */
const SLOTS = 4;

/** Memory for a part of a stream, which moves to the thread and back. */
export class ReceivingSlot {
  memory = new ArrayBuffer(SLOT_BYTES);
  readonly #onFree: () => void;
  #used = 0;

  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  /** Appends a copy; returns where it begins. */
  add(content: Buffer): number {
    const start = this.#used;
    Buffer.from(this.memory).set(content, start);
    this.#used += content.length;
    return start;
  }

  giveBack(): void {
    // It is gone with a thread that failed.
    if (this.memory.byteLength === 0) this.memory = new ArrayBuffer(SLOT_BYTES);
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
