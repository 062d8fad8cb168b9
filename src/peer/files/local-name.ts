import { ProtocolError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';

/** Every temporary file's name begins so; names from outside never do. */
export const TEMP_PREFIX = '.turbo-beep-';

/** What Linux, macOS and Windows all take for one name. */
const MAX_NAME_BYTES = 255;
/** A longer "extension" is part of the name. */
const EXTENSION = /(?:\.tar)?\.[^. ]{1,16}$/i;

/** Where one manifest entry lies locally: a single safe name inside the folder of entry `parent` (-1: the top). */
export interface LocalEntry {
  name: string;
  parent: number;
}

/**
 * The one way from remote paths to local ones. Each entry becomes one safe name in its parent's folder, and the parent
 * is an index, so no remote string is ever joined into a local path. Names that differ only by case, by Unicode form or
 * by what was replaced in them get a number: on some file systems they would be the same file.
 * Throws a ProtocolError if a parent is not an earlier folder of the manifest.
 */
export function nameLocally(entries: readonly ManifestEntry[]): LocalEntry[] {
  const folders = new Map<string, number>([['', -1]]);
  const taken = new Map<number, DistinctNames>();
  return entries.map(({ path, directory }, index) => {
    const slash = path.lastIndexOf('/');
    const parent = folders.get(path.slice(0, Math.max(slash, 0)));
    if (parent === undefined) throw new ProtocolError(`manifest entry ${index} has no folder to lie in`);
    const siblings = taken.get(parent) ?? new DistinctNames();
    taken.set(parent, siblings);
    if (directory) folders.set(path, index);
    return { name: siblings.take(safeName(path.slice(slash + 1)), directory), parent };
  });
}

/** Hands out names of which no two are the same file anywhere. */
export class DistinctNames {
  /** Folded. */
  readonly #taken = new Set<string>();
  /** By folded name with its first number of so many digits: the number to try next. */
  readonly #next = new Map<string, number>();

  take(wanted: string, directory: boolean): string {
    let name = wanted;
    for (let first = 1; this.#taken.has(fold(name)); first *= 10) name = this.#takeNumber(wanted, first, directory);
    this.#taken.add(fold(name));
    return name;
  }

  /**
   * The first free name with a number of as many digits as `first`, or one that is taken. Long names that differ at
   * their end alone are cut to the same numbered ones: they count on where the others stopped, or a peer could make this
   * take hours.
   */
  #takeNumber(wanted: string, first: number, directory: boolean): string {
    const key = fold(numberedName(wanted, first, directory));
    const numbered = (number: number) => numberedName(wanted, number, directory);
    let number = this.#next.get(key) ?? first;
    while (number < first * 10 - 1 && this.#taken.has(fold(numbered(number)))) number += 1;
    this.#next.set(key, number);
    return numbered(number);
  }
}

/** `name (1).ext` for a file, `name (1)` for a folder; `name` itself for number 0. At most 255 bytes. */
export function numberedName(name: string, number: number, directory: boolean): string {
  if (number === 0) return name;
  const suffix = ` (${number})`;
  return directory ? shorten(name, MAX_NAME_BYTES - suffix.length) + suffix : fitName(name, suffix);
}

// Separators and what Windows reads as one; ':' opens an alternate stream there. The rest is what a terminal would obey
// and what makes a name read as another: controls, bidirectional overrides, invisible characters.
const UNSAFE =
  /[/\\:\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]/g;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const REFUSED_BY_WINDOWS = /[<>"|?*]/g;
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i;

/** One safe path component, whatever the string. The same on every system, save for what Windows refuses outright. */
export function safeName(part: string): string {
  let name = part.replace(LONE_SURROGATE, '_').replace(UNSAFE, '_');
  if (process.platform === 'win32') name = name.replace(REFUSED_BY_WINDOWS, '_');
  name = fitName(name);
  if (WINDOWS_DEVICE.test(name) || fold(name).startsWith(TEMP_PREFIX)) name = fitName(`_${name}`);
  return replaceTrailingDots(name) || '_';
}

/** Windows drops dots and spaces at the end, so that two names become one; and this turns '.' and '..' into names. */
function replaceTrailingDots(name: string): string {
  let end = name.length;
  while (end > 0 && (name[end - 1] === '.' || name[end - 1] === ' ')) end--;
  return name.slice(0, end) + '_'.repeat(name.length - end);
}

function splitExtension(name: string): [stem: string, extension: string] {
  const at = EXTENSION.exec(name)?.index ?? 0;
  return at === 0 ? [name, ''] : [name.slice(0, at), name.slice(at)];
}

/** Puts `suffix` before the extension, and cuts what comes before it to what a name may have. */
function fitName(name: string, suffix = ''): string {
  const [stem, extension] = splitExtension(name);
  return shorten(stem, MAX_NAME_BYTES - Buffer.byteLength(suffix + extension)) + suffix + extension;
}

/** The longest beginning that fits, cut between characters. */
function shorten(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Equal for names that some file system takes for the same. Folds rather too much than too little. */
function fold(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFD');
}
