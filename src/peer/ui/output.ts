import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { ExitCode, errorCode, errorMessage, UserError } from '../../protocol/errors.js';
import { escapeInJson, sanitise, sanitiseLine } from '../../protocol/sanitise.js';
import { describeSystemError } from '../../shared/system-error.js';

/** What commands print outside of a session: results on stdout, everything else on stderr. */

export function print(text: string): void {
  process.stdout.write(`${sanitise(text)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${jsonLine(value)}\n`);
}

/** One value as one line that no terminal obeys, and that no reader ends at U+2028. */
export function jsonLine(value: unknown): string {
  return escapeInJson(JSON.stringify(value));
}

/** Prints lines as fast as whoever reads them (a pager, say) takes them, and stops when nobody does any more. */
export async function printLines(lines: Iterable<string>): Promise<void> {
  for (const line of lines) {
    if (process.stdout.destroyed) return;
    if (!process.stdout.write(`${line}\n`)) await drained(process.stdout);
  }
}

/** Calls `then` when all that was written to it has left this process: at once, unless its reader is slow. Never if that fails. */
export function whenWritten(output: Writable, then: () => void): void {
  if (output.writableLength === 0) then();
  else output.write('', (error) => error ?? then());
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      stream.off('drain', goOn).off('close', goOn);
      resolve();
    };
    stream.on('drain', goOn).on('close', goOn);
  });
}

/** Says on stderr what is no result and no warning. */
export function tell(text: string): void {
  process.stderr.write(`${sanitise(text)}\n`);
}

export function warn(text: string): void {
  process.stderr.write(`p2p: warning: ${sanitiseLine(text)}\n`);
}

/**
 * Says why the program ends, in JSON mode on stdout too. Only our own bugs come with their stack.
 * @returns the exit code that goes with it
 */
export function reportError(error: unknown, json: boolean): ExitCode {
  const { exitCode, message, hint } = error instanceof UserError ? error : describeBug(error);
  if (json) printJson({ event: 'error', code: exitCode, message, hint });
  process.stderr.write(`p2p: ${sanitise(message)}\n${sanitise(hint)}\n`);
  if (!(error instanceof UserError) && error instanceof Error) process.stderr.write(`${sanitise(error.stack ?? '')}\n`);
  return exitCode;
}

function describeBug(error: unknown) {
  return {
    exitCode: ExitCode.bug,
    message: `this is a mistake in the program: ${errorMessage(error)}`,
    hint: 'Please report it, with what you did and the lines that follow on stderr.',
  };
}

export function isTerminal(stream: 'stdout' | 'stderr' | 'stdin'): boolean {
  return process[stream].isTTY === true;
}

export function standardStreams() {
  return { input: process.stdin, output: process.stdout, errorOutput: process.stderr };
}

/** Of a byte stream that is the peer's: a terminal gets it without what it would obey, anything else as it is. */
export function harmlessOutput(output: Writable & { isTTY?: boolean }): Writable {
  if (!output.isTTY) return output;
  const decoder = new StringDecoder('utf8');
  const harmless = new Writable({
    write: (bytes: Buffer, _encoding, done) => void output.write(sanitise(decoder.write(bytes)), done),
    final: (done) => void output.write(sanitise(decoder.end()), done),
  });
  output.on('error', (error) => harmless.destroy(error));
  return harmless;
}

/** Columns of the terminal; 80 where there is none, or where it does not say (0). */
export function terminalColumns(): number {
  return process.stdout.columns || 80;
}

/** Why something of the output is missing. */
let outputFailure: Error | undefined;

/**
 * Whoever reads our output may leave (`p2p … | head -1`), or the terminal be closed: that is no reason to crash. A full
 * disk is none either, but makes the exit code.
 */
export function tolerateClosedOutput(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error) => {
    if (!['EPIPE', 'EIO'].includes(errorCode(error) ?? '')) outputFailure ??= error;
  });
}

/** Ends the process once all that was printed is on its way. */
export function exitAfterOutput(code: ExitCode): void {
  const exit = () => {
    const last = outputFailure && code === ExitCode.done ? reportError(unwritten(outputFailure), false) : code;
    process.stderr.write('', () => process.exit(last));
  };
  // That a write has failed is told after it is over.
  process.stdout.write('', () => setImmediate(exit));
}

function unwritten(cause: Error): UserError {
  const message = `the output could not be written: ${describeSystemError(cause)}`;
  return new UserError(ExitCode.usage, message, 'Something of it is missing.', { cause });
}
