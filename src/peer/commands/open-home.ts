import { resolve } from 'node:path';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { defaultHomeDirectory, Home } from '../home.js';
import type { Environment } from './environment.js';

/** @param directory the value of --home. @throws UserError */
export function openHome(directory: string | undefined, environment: Environment): Promise<Home> {
  if (directory === '') throw new UserError(ExitCode.usage, '--home has no value', 'Name a folder: --home DIR');
  return directory === undefined
    ? Home.open(defaultHomeDirectory(environment.configHome))
    : Home.open(resolve(directory), true);
}
