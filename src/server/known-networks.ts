/** Each costs about a hundred bytes. */
const MAX_NETWORKS = 8192;

/** From where peers were admitted lately. In memory alone, and only so many: who came longest ago is forgotten first. */
export class KnownNetworks {
  readonly #max: number;
  readonly #networks = new Set<string>();

  constructor(max = MAX_NETWORKS) {
    this.#max = max;
  }

  has(network: string): boolean {
    return this.#networks.has(network);
  }

  /** A peer was admitted from there just now. */
  note(network: string): void {
    this.#networks.delete(network);
    this.#networks.add(network);
    if (this.#networks.size <= this.#max) return;
    for (const oldest of this.#networks) {
      this.#networks.delete(oldest);
      return;
    }
  }
}
