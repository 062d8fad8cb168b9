import { createHmac, randomBytes } from 'node:crypto';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { TEMP_PREFIX } from './local-name.js';

/** Where the notes of one transfer are kept. */
export interface ReceiptStore {
  /** '' at first. */
  load(): string;
  /** Durable on return. */
  save(json: string): void;
}

/** An entry that was about to get its name, as `name` in its folder. */
export interface Placing {
  entry: number;
  name: string;
  /** Of a file, in hex; '' for a folder. */
  sha256: string;
  state: 'announced' | 'placed';
}

interface Notes {
  secret: string;
  next: number;
  /** Of files, several that follow each other; of folders, one. */
  placing: Placing[];
  renamed: [entry: number, name: string][];
  /** How many entries before `next` are not in place, and are not going to be. Absent: none. */
  skipped?: number;
}

/**
 * How far a transfer has come. Progress is saved along with the next announcement, not after each small file: what the
 * notes lack by then can be found out from the disk.
 */
export class ReceiptJournal {
  readonly #store: ReceiptStore;
  readonly #notes: Notes;
  readonly #renamed: Map<number, string>;
  readonly #tempNames = new Map<number, string>();
  #saved: boolean;

  /** Throws a UserError (7) if the store gives back something else than it was given. */
  constructor(store: ReceiptStore) {
    const json = store.load();
    this.#store = store;
    this.#notes = json === '' ? newNotes() : parseNotes(json);
    this.#renamed = new Map(this.#notes.renamed);
    this.#saved = json !== '';
    this.save();
  }

  /** The first entry not in place. */
  get next(): number {
    return this.#notes.next;
  }

  /** What was announced last, in the manifest's order; in state 'announced' its fate is open. */
  get placing(): readonly Placing[] {
    return this.#notes.placing;
  }

  /** Local names of the top-level folders whose own were taken. */
  get renamed(): ReadonlyMap<number, string> {
    return this.#renamed;
  }

  /** How many of the entries before `next` were left out. */
  get skipped(): number {
    return this.#notes.skipped ?? 0;
  }

  /** Nobody can guess it before the file exists, and it is found again after a crash without having been saved. */
  tempName(entry: number): string {
    const known = this.#tempNames.get(entry);
    if (known) return known;
    const random = createHmac('sha256', this.#notes.secret).update(String(entry)).digest('hex');
    const name = `${TEMP_PREFIX}${random.slice(0, 32)}`;
    this.#tempNames.set(entry, name);
    return name;
  }

  /** Saves that these entries, `next` the first of them, are about to get these names, and all progress before them. */
  announce(names: readonly { entry: number; name: string; sha256: string }[]): void {
    this.#notes.placing = names.map(({ entry, name, sha256 }) => ({ entry, name, sha256, state: 'announced' }));
    this.#saved = false;
    this.save();
  }

  /** Saves that the announced entry `next` is to have another name than was announced. */
  rename(name: string): void {
    const placing = this.#placingNext();
    if (placing) placing.name = name;
    this.#saved = false;
    this.save();
  }

  /**
   * Saves that what was announced and is not in place has to come again: a temporary file that later holds the same
   * content is one that is being written to.
   */
  withdraw(): void {
    this.#notes.placing = this.#notes.placing.filter(({ state }) => state === 'placed');
    this.#saved = false;
    this.save();
  }

  /** Entry `next`, which was announced, is in place. Not saved at once. */
  placed(): void {
    const placing = this.#placingNext();
    if (placing) placing.state = 'placed';
    this.advance();
  }

  /** The same for a top-level folder. Saved at once, since what is put into it must be found there. */
  placedFolder(wanted: string): void {
    const name = this.#placingNext()?.name ?? wanted;
    if (name !== wanted) this.#renamed.set(this.next, name);
    this.placed();
    this.save();
  }

  /** Entry `next` is not going to come. Not saved at once: if that is lost, it is wanted, and left out, again. */
  skip(): void {
    this.#notes.skipped = this.skipped + 1;
    this.advance();
  }

  /** Entry `next` needs nothing more. Not saved at once. */
  advance(): void {
    this.#tempNames.delete(this.#notes.next);
    this.#notes.next++;
    this.#saved = false;
  }

  #placingNext(): Placing | undefined {
    return this.#notes.placing.find(({ entry }) => entry === this.next);
  }

  save(): void {
    if (this.#saved) return;
    this.#store.save(JSON.stringify({ ...this.#notes, renamed: [...this.#renamed] }));
    this.#saved = true;
  }
}

function newNotes(): Notes {
  return { secret: randomBytes(16).toString('hex'), next: 0, placing: [], renamed: [] };
}

/** The journal's cipher does not notice a damaged disk, and what is believed here names files. */
function parseNotes(json: string): Notes {
  try {
    const notes: Notes = JSON.parse(json);
    if (isWhole(notes)) return notes;
  } catch {
    // Not even JSON: the same sentence.
  }
  const hint = 'Cancel it, and have the files sent again.';
  throw new UserError(ExitCode.transferIncomplete, 'the notes of how far this transfer has come are damaged', hint);
}

function isWhole({ secret, next, placing, renamed, skipped = 0 }: Notes): boolean {
  const isPlacing = (each: Placing) =>
    isIndex(each.entry) &&
    isName(each.name) &&
    /^([0-9a-f]{64})?$/.test(each.sha256) &&
    /^(announced|placed)$/.test(each.state);
  return (
    /^[0-9a-f]{32}$/.test(secret) &&
    isIndex(next) &&
    isIndex(skipped) &&
    placing.every(isPlacing) &&
    renamed.every(([entry, name]) => isIndex(entry) && isName(name))
  );
}

function isIndex(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value !== '.' && value !== '..' && !/[/\\\0]/.test(value);
}
