import { ExitCode, UserError } from '../../protocol/errors.js';
import type { Check } from '../doctor/check.js';
import type { Listener } from '../doctor/doctor.js';
import { printJson, reportError } from './output.js';

/** What the doctor finds, one JSON event a line. */
export class DoctorJson implements Listener {
  readonly #command: string;
  #problem: UserError | null = null;

  /** @param command for the other person */
  constructor(command: string) {
    this.#command = command;
  }

  begin(): void {}

  check({ step, status, message, hint, facts, exitCode }: Check): void {
    printJson({ event: 'check', step, status, message, hint, facts });
    if (exitCode !== ExitCode.done) this.#problem ??= new UserError(exitCode, message, hint);
  }

  waiting(): void {
    printJson({ event: 'waiting', command: this.#command });
  }

  trying(): void {}

  stop(): void {
    if (this.#problem) reportError(this.#problem, true);
    printJson({ event: 'bye' });
  }
}
