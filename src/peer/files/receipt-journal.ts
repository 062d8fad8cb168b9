import { createHmac, randomBytes } from 'node:crypto';
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
  placing: Placing | null;
  renamed: [entry: number, name: string][];
}

/**
 * How far a transfer has come. Progress is saved along with the next announcement, not after each small file: what the
 * notes lack by then can be found out from the disk.
 */
export class ReceiptJournal {
  readonly #store: ReceiptStore;
  readonly #notes: Notes;
  readonly #renamed: Map<number, string>;
  #saved: boolean;

  constructor(store: ReceiptStore) {
    const json = store.load();
    this.#store = store;
    this.#notes = json === '' ? newNotes() : JSON.parse(json);
    this.#renamed = new Map(this.#notes.renamed);
    this.#saved = json !== '';
    this.save();
  }

  /** The first entry not in place. */
  get next(): number {
    return this.#notes.next;
  }

  /** What was announced last; in state 'announced' its fate is open. */
  get placing(): Placing | null {
    return this.#notes.placing;
  }

  /** Local names of the top-level folders whose own were taken. */
  get renamed(): ReadonlyMap<number, string> {
    return this.#renamed;
  }

  /** Nobody can guess it before the file exists, and it is found again after a crash without having been saved. */
  tempName(entry: number): string {
    const random = createHmac('sha256', this.#notes.secret).update(String(entry)).digest('hex');
    return `${TEMP_PREFIX}${random.slice(0, 32)}`;
  }

  /** Saves that entry `next` is about to become `name`, and all progress before it. */
  announce(name: string, sha256: string): void {
    this.#notes.placing = { entry: this.next, name, sha256, state: 'announced' };
    this.#saved = false;
    this.save();
  }

  /** What was announced is in place. Not saved at once. */
  placed(): void {
    if (this.#notes.placing) this.#notes.placing.state = 'placed';
    this.advance();
  }

  /** The same for a top-level folder. Saved at once, since what is put into it must be found there. */
  placedFolder(wanted: string): void {
    const name = this.#notes.placing?.name ?? wanted;
    if (name !== wanted) this.#renamed.set(this.next, name);
    this.placed();
    this.save();
  }

  /** Entry `next` needs nothing more. Not saved at once. */
  advance(): void {
    this.#notes.next++;
    this.#saved = false;
  }

  save(): void {
    if (this.#saved) return;
    this.#store.save(JSON.stringify({ ...this.#notes, renamed: [...this.#renamed] }));
    this.#saved = true;
  }
}

function newNotes(): Notes {
  return { secret: randomBytes(16).toString('hex'), next: 0, placing: null, renamed: [] };
}
