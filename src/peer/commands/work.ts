import type { Argv } from 'yargs';
import { ExitCode, UserError } from '../../protocol/errors.js';
import type { Environment } from './environment.js';

/** What a command does. It loads what it needs itself, so that --help is quick. */
export type Work = (environment: Environment) => Promise<ExitCode>;

/** Adds commands to the parser; the one that the person named calls `choose`. */
export type Declare = (parser: Argv, choose: (work: Work) => void) => Argv;

export function usageError(message: string, command = ''): UserError {
  return new UserError(ExitCode.usage, message, `See: p2p ${command}${command && ' '}--help`);
}
