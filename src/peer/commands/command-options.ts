import type { Options } from 'yargs';
import { PATH_KINDS } from '../../protocol/messages.js';

/** Options that several commands share. Every value is a text here; values.ts knows what they mean. */

function text(describe: string): Options & { type: 'string' } {
  return { type: 'string', requiresArg: true, describe };
}

export const HOME_OPTION = {
  ...text('folder of settings and journals'),
  defaultDescription: '~/.config/turbo-beep',
} as const;

export const PASSPHRASE_FILE_OPTION = text('first line: the passphrase of your key (or set TURBO_BEEP_PASSPHRASE)');

/** Whom to talk to, without a contact. */
export const WHOM_OPTIONS = {
  host: text('host of the mediator'),
  port: text('port of the mediator'),
  keys: text('your key pair'),
  peer: text("the other person's public key"),
} as const;

export const TALK_OPTIONS = {
  json: { type: 'boolean', describe: 'events on stdout and commands on stdin, as JSON lines' },
  timeout: text('seconds to wait for the first connection; without it there is no limit'),
  paths: text(`which paths to try, of ${PATH_KINDS.join(',')}`),
  'no-host-candidates': { type: 'boolean', describe: "do not tell the peer your machine's own addresses" },
  'no-port-mapping': { type: 'boolean', describe: 'do not ask your router to let the peer in (UPnP, NAT-PMP, PCP)' },
  'mediator-key': text("the mediator's key, as a file or an id, instead of trusting the first that is shown"),
  'passphrase-file': PASSPHRASE_FILE_OPTION,
  home: HOME_OPTION,
} as const;

/** TALK_OPTIONS as they stand on a command line. */
export interface ConnectionWords {
  json?: boolean | undefined;
  timeout?: string | undefined;
  paths?: string | undefined;
  noHostCandidates?: boolean | undefined;
  noPortMapping?: boolean | undefined;
  mediatorKey?: string | undefined;
  passphraseFile?: string | undefined;
  home?: string | undefined;
}

/** The same, without the negations and with nothing left out. */
export interface ConnectionArguments {
  json: boolean;
  timeout: string | undefined;
  paths: string | undefined;
  hostCandidates: boolean;
  portMapping: boolean;
  mediatorKey: string | undefined;
  passphraseFile: string | undefined;
  home: string | undefined;
}

export function connectionArguments(words: ConnectionWords): ConnectionArguments {
  const { json = false, timeout, paths, noHostCandidates, noPortMapping, mediatorKey, passphraseFile, home } = words;
  const allowed = { hostCandidates: !noHostCandidates, portMapping: !noPortMapping };
  return { json, timeout, paths, ...allowed, mediatorKey, passphraseFile, home };
}
