import type { UserError } from '../../../protocol/errors.js';
import { DigestMismatchError } from '../../files/file-errors.js';
import type { SessionEvent } from '../events.js';
import { Troubles } from '../trouble.js';
import { transferTrouble } from './transfer-context.js';

/** After a full disk, say: the next try. */
const RETRY_MS = 5_000;
/** A file that keeps arriving wrong is not going to be right. */
const MAX_MISMATCHES = 3;

/** When what failed to come in is tried again, and what the person hears of it until it succeeds. */
export class Retries {
  readonly #emit: (event: SessionEvent) => void;
  readonly #tryAgain: (transfer: string) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #troubles = new Troubles();
  readonly #mismatches = new Map<string, number>();

  constructor(emit: (event: SessionEvent) => void, tryAgain: (transfer: string) => void) {
    this.#emit = emit;
    this.#tryAgain = tryAgain;
  }

  failed(transfer: string, error: DigestMismatchError | UserError): void {
    const atOnce = error instanceof DigestMismatchError && this.#countMismatch(transfer) < MAX_MISMATCHES;
    if (!atOnce && this.#troubles.isNews(transfer, error.message, performance.now())) {
      this.#emit(transferTrouble(transfer, error));
    }
    this.cancel(transfer);
    const timer = setTimeout(
      () => {
        this.#timers.delete(transfer);
        this.#tryAgain(transfer);
      },
      atOnce ? 0 : RETRY_MS,
    );
    this.#timers.set(transfer, timer);
  }

  /** A file of it is in place: what comes next is news again. */
  succeeded(transfer: string): void {
    this.#mismatches.delete(transfer);
    this.#troubles.forget(transfer);
  }

  cancel(transfer: string): void {
    clearTimeout(this.#timers.get(transfer));
    this.#timers.delete(transfer);
  }

  cancelAll(): void {
    for (const transfer of this.#timers.keys()) this.cancel(transfer);
  }

  #countMismatch(transfer: string): number {
    const count = (this.#mismatches.get(transfer) ?? 0) + 1;
    this.#mismatches.set(transfer, count);
    return count;
  }
}
