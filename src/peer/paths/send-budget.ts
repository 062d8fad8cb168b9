/** In this time what was spent comes back. */
const RECOVERY_MS = 600_000;

interface Account {
  left: number;
  atMs: number;
}

/**
 * Bounds what a peer, or a mediator that introduces without end, can make this program send to places that never asked
 * for it: so many packets, or dials, to one address and in all. Outlives the races. The clock is an argument.
 */
export class SendBudget {
  readonly #perAddress: number;
  readonly #inAll: number;
  readonly #addresses = new Map<string, Account>();
  readonly #all: Account;

  constructor(perAddress: number, inAll: number) {
    this.#perAddress = perAddress;
    this.#inAll = inAll;
    this.#all = { left: inAll, atMs: 0 };
  }

  /** Counts one more. False: it must not be sent. */
  spend(address: string, nowMs: number): boolean {
    const account = this.#addresses.get(address) ?? this.#open(address, nowMs);
    recover(account, this.#perAddress, nowMs);
    recover(this.#all, this.#inAll, nowMs);
    if (account.left < 1 || this.#all.left < 1) return false;
    account.left -= 1;
    this.#all.left -= 1;
    return true;
  }

  #open(address: string, nowMs: number): Account {
    for (const [known, account] of this.#addresses) {
      if (account.atMs < nowMs - RECOVERY_MS) this.#addresses.delete(known);
    }
    const account = { left: this.#perAddress, atMs: nowMs };
    this.#addresses.set(address, account);
    return account;
  }
}

function recover(account: Account, full: number, nowMs: number): void {
  account.left = Math.min(full, account.left + ((nowMs - account.atMs) * full) / RECOVERY_MS);
  account.atMs = nowMs;
}
