import { isDemoKey } from '../../protocol/demo-keys.js';
import type { KeyOptions } from '../keys/load-keys.js';
import { warn } from '../ui/output.js';
import { secretPrompt } from '../ui/prompt.js';
import type { Environment } from './environment.js';

/** How keys are opened for the person at this terminal. @param file the value of --passphrase-file */
export function keyOptions(file: string | undefined, environment: Environment): KeyOptions {
  return { passphrases: { file, environment: environment.passphrase, prompt: secretPrompt() }, warn };
}

/** @param whose 'your own key', 'the peer key', … */
export function warnOfDemoKey(whose: string, id: string, environment: Environment): void {
  if (environment.demo || !isDemoKey(id)) return;
  warn(`${whose} is an example key of turbo-beep that everybody has; make your own with: p2p keygen DIR`);
}
