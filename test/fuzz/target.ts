/** One parser, or a few that belong together, and what must hold for every input whatever. */
export interface Target {
  name: string;
  /** Inputs that are taken, to begin from. Made once, when the target is begun. */
  seeds(): Buffer[];
  /** Longer inputs are not tried. */
  maxBytes: number;
  /** Of the processor. An input that takes longer is a finding: a stranger could keep the program from its user. */
  maxMs: number;
  /** Takes in one input. Throws if anything happened that must not. */
  run(input: Buffer): void | Promise<void>;
  /** Gives back what the target holds. */
  close?(): void | Promise<void>;
}

type ErrorClass = abstract new (...values: never[]) => Error;

/** The result of `parse`, or null if it refused in one of the ways that its callers know. Any other error is a finding. */
export function orRefused<T>(parse: () => T, ...expected: ErrorClass[]): T | null {
  try {
    return parse();
  } catch (error) {
    if (expected.some((kind) => error instanceof kind)) return null;
    throw error;
  }
}

export function ensure(holds: boolean, what: string): void {
  if (!holds) throw new Error(`does not hold: ${what}`);
}

/** An input as numbers and pieces, for targets whose input is not one run of bytes. Past the end there are zeros. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  /** Small ones mostly, large ones at times. */
  number(): number {
    const first = this.byte();
    if (first < 0xf0) return first;
    let value = 0;
    for (let left = first & 0x07; left > 0; left--) value = value * 256 + this.byte();
    return Math.min(value, Number.MAX_SAFE_INTEGER);
  }

  take(count: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  text(): string {
    return this.take(this.byte()).toString('utf8');
  }

  rest(): Buffer {
    return this.take(this.#bytes.length);
  }
}
