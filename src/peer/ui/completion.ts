import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sanitiseLine } from '../../protocol/sanitise.js';
import { COMMANDS } from './commands.js';
import { quoteWord, splitWords, type Word } from './shell-words.js';

export interface Completion {
  /** The line and cursor after completing as far as is certain; unchanged if nothing is. */
  text: string;
  cursor: number;
  /** What it could be, for the person to read, when there is more than one way on. */
  choices: string[];
}

export interface CompletionPlaces {
  home: string;
  cwd: string;
}

interface Choice {
  /** What the word becomes. */
  value: string;
  shown: string;
  /** A folder: the word may go on. */
  open: boolean;
}

/** What Tab does: completes a command's name, or a path in /send and /accept. */
export async function complete(text: string, cursor: number, places: CompletionPlaces): Promise<Completion> {
  const before = text.slice(0, cursor);
  const unchanged: Completion = { text, cursor, choices: [] };
  if (/^\/[a-z]*$/.test(before)) {
    const choices = COMMANDS.filter((command) => `/${command.name}`.startsWith(before)).map(commandChoice);
    return applyChoices(choices, { value: before, start: 0, end: cursor }, unchanged, (value) => value);
  }
  const command = /^\/(send|accept)(?=\s)/.exec(before)?.[1];
  if (command === undefined) return unchanged;
  const word = wordAtCursor(before, command.length + 1, places.home);
  const choices = await pathChoices(word, command === 'accept', places);
  return applyChoices(choices, word, unchanged, (value) => writePath(value, word, places.home));
}

function commandChoice({ name }: { name: string }): Choice {
  return { value: `/${name}`, shown: `/${name}`, open: false };
}

/** The word that the cursor ends; an empty one after a space. */
function wordAtCursor(before: string, argumentsAt: number, home: string): Word {
  const last = splitWords(before.slice(argumentsAt), home).at(-1);
  const word = last && { ...last, start: last.start + argumentsAt, end: last.end + argumentsAt };
  return word && word.end === before.length ? word : { value: '', start: before.length, end: before.length };
}

/** The entries that go on from what is written; hidden ones only when a dot asks for them. */
async function pathChoices(word: Word, foldersOnly: boolean, places: CompletionPlaces): Promise<Choice[]> {
  if (word.fromHome && word.value === places.home) return [{ value: `${word.value}/`, shown: '~/', open: true }];
  const slash = word.value.lastIndexOf('/') + 1;
  const folder = word.value.slice(0, slash);
  const begun = word.value.slice(slash);
  const local = resolve(places.cwd, folder);
  const entries = await readdir(local, { withFileTypes: true }).catch(() => []);
  const fitting = entries.filter(({ name }) => name.startsWith(begun) && (begun !== '' || !name.startsWith('.')));
  const choices: Choice[] = [];
  for (const entry of fitting.toSorted((a, b) => a.name.localeCompare(b.name))) {
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await leadsToFolder(join(local, entry.name))));
    if (foldersOnly && !isFolder) continue;
    const name = isFolder ? `${entry.name}/` : entry.name;
    choices.push({ value: folder + name, shown: sanitiseLine(name), open: isFolder });
  }
  return choices;
}

async function leadsToFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function applyChoices(
  choices: Choice[],
  word: Word,
  unchanged: Completion,
  write: (value: string) => string,
): Completion {
  const [only] = choices;
  if (!only) return unchanged;
  const certain = choices.length === 1 ? only.value : commonStart(choices.map((choice) => choice.value));
  const more = choices.length > 1 ? choices.map((choice) => choice.shown) : [];
  if (certain.length <= word.value.length && choices.length > 1) return { ...unchanged, choices: more };
  const finished = choices.length === 1 && !only.open;
  const written = finished ? `${write(certain)} ` : leaveOpen(write(certain), word);
  const { text } = unchanged;
  const cursor = word.start + written.length;
  return { text: text.slice(0, word.start) + written + text.slice(word.end), cursor, choices: more };
}

function writePath(path: string, word: Word, home: string): string {
  return word.fromHome ? `~${quoteWord(path.slice(home.length))}` : quoteWord(path, word.openQuote);
}

/** A word that may go on must not have its quote closed yet. */
function leaveOpen(written: string, word: Word): string {
  return word.openQuote && /["']$/.test(written) ? written.slice(0, -1) : written;
}

function commonStart(values: string[]): string {
  const [first = '', ...others] = values;
  let length = first.length;
  for (const value of others) {
    while (!value.startsWith(first.slice(0, length))) length -= 1;
  }
  // Half of a surrogate pair is nothing to write.
  return first.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}
