import { ExitCode, type UserError } from '../../../protocol/errors.js';
import { sanitiseLine } from '../../../protocol/sanitise.js';
import type { SessionEvent } from '../events.js';

/** A folder of thousands may have changed. */
const MAX_NAMED = 5;

/** Tells of files that are left out of a transfer which goes on without them: each once, the first few by their names. */
export class LeftOut {
  readonly #emit: (event: SessionEvent) => void;
  readonly #named = new Map<string, Set<string>>();

  constructor(emit: (event: SessionEvent) => void) {
    this.#emit = emit;
  }

  /** `file`: its path in the manifest. */
  tell(transfer: string, file: string, { message, hint }: Pick<UserError, 'message' | 'hint'>): void {
    const named = this.#named.get(transfer) ?? new Set();
    this.#named.set(transfer, named);
    if (named.has(file) || named.size >= MAX_NAMED) return;
    named.add(file);
    const code = ExitCode.transferIncomplete;
    this.#emit({ event: 'error', code, message: sanitiseLine(message), hint, transfer, file });
  }

  /** The transfer is over, all but `count` files of it. */
  end(transfer: string, by: 'me' | 'peer', count: number): void {
    this.forget(transfer);
    const reason = `${count === 1 ? 'one file was' : `${count} files were`} left out; everything else has arrived`;
    this.#emit({ event: 'cancelled', transfer, by, reason, skipped: count });
  }

  forget(transfer: string): void {
    this.#named.delete(transfer);
  }
}
