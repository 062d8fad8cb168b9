import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, UserError } from '../../protocol/errors.js';
import type { Identity } from '../../protocol/identity.js';
import { descentOf, InvalidSuccessionError, type Succession, successionsInPem } from '../../protocol/succession.js';
import { type KeyOptions, loadOwnKeys } from './load-keys.js';

/** Our keys from the one that a contact knows us by to the one that we use now. */
export interface OwnKeys {
  /** At least one, the oldest first. */
  line: readonly [Identity, ...Identity[]];
  /** What each but the last said of the next. */
  successions: readonly Succession[];
}

const KEY_PAIR = /^[0-9a-f]{64}\.pem$/;

/**
 * Beside a key pair's file: the pairs that it held before, each in a file named by its id, with what it said of its
 * successor. The pair itself may be a link; its former ones lie where it really is.
 */
export function formerKeysFolder(keyFile: string): string {
  return `${existsSync(keyFile) ? realpathSync(keyFile) : keyFile}.former`;
}

export function formerKeyFile(keyFile: string, id: string): string {
  return join(formerKeysFolder(keyFile), `${id}.pem`);
}

/** What the former keys of this file said of their successors; what is damaged there says nothing. */
export function knownSuccessions(keyFile: string): Succession[] {
  const folder = formerKeysFolder(keyFile);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => KEY_PAIR.test(name))
    .flatMap((name) => successionsOf(join(folder, name)));
}

/** The ids of all keys that led to the one with this id, in no order. */
export function formerIds(keyFile: string, id: string): string[] {
  const known = knownSuccessions(keyFile);
  const leadsHere = ({ former }: Succession) => lineBetween(former.id, id, known) !== null;
  return known.filter(leadsHere).map(({ former }) => former.id);
}

/**
 * The key pair `newest` of a file, and those before it from the one with id `from`; null if that one did not lead to it.
 * @throws UserError
 */
export async function loadKeysSince(
  newest: Identity,
  keyFile: string,
  from: string | null,
  options: KeyOptions,
): Promise<OwnKeys | null> {
  if (from === null || from === newest.id) return { line: [newest], successions: [] };
  const successions = lineBetween(from, newest.id, knownSuccessions(keyFile));
  if (successions === null) return null;
  const former: Identity[] = [];
  for (const { former: each } of successions) former.push(await loadFormer(keyFile, each.id, options));
  const [oldest, ...others] = former;
  return oldest ? { line: [oldest, ...others, newest], successions } : null;
}

async function loadFormer(keyFile: string, id: string, options: KeyOptions): Promise<Identity> {
  const path = formerKeyFile(keyFile, id);
  const identity = await loadOwnKeys(path, options);
  if (identity.id === id) return identity;
  throw new UserError(
    ExitCode.usage,
    `${path} does not hold the key that it is named after`,
    'Put the right one back from a backup.',
  );
}

function lineBetween(from: string, to: string, known: readonly Succession[]): Succession[] | null {
  const descent = descentOf(from, known);
  if (descent.kind === 'disputed') return null;
  const end = descent.successions.findIndex(({ successor }) => successor.id === to);
  return end === -1 ? null : descent.successions.slice(0, end + 1);
}

function successionsOf(path: string): Succession[] {
  try {
    return successionsInPem(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof InvalidSuccessionError) return [];
    throw error;
  }
}

/** Old and new keys mostly have the same passphrase, which nobody wants to type twice. */
export function rememberPassphrase(options: KeyOptions): KeyOptions {
  const { prompt } = options.passphrases;
  if (prompt === null) return options;
  let typed: string | null = null;
  let asked = '';
  const askOnce = async (question: string) => {
    // The same question again: what was typed before did not fit.
    if (typed === null || question === asked) typed = await prompt(question);
    asked = question;
    return typed;
  };
  return { ...options, passphrases: { ...options.passphrases, prompt: askOnce } };
}
