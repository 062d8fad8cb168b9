import { UserError } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import { type Confinement, openFolder } from './folder.js';
import { claimFolder, finishClaim, finishLanding, isComplete, putInPlace } from './landing.js';
import { nameLocally } from './local-name.js';
import { LocalTree } from './local-tree.js';
import { makeFolder } from './make-folder.js';
import { type TempPlace, type WholeFile, writeWhole } from './partial-file.js';
import { type Placing, ReceiptJournal, type ReceiptStore } from './receipt-journal.js';
import { finishFolders, removeEmptyFolders, removeTemp } from './tidying.js';

/** The progress of a file this long is saved at once; that of shorter ones along with the next file. */
const WORTH_SAVING_BYTES = 1024 * 1024;
/** Whole files that are received together: one note in the journal names them all. */
const MAX_GROUP = 256;

/** One file, verified, in place and synced. */
export interface ReceivedFile {
  /** Its manifest path. */
  name: string;
  /** Absolute and local. */
  path: string;
  bytes: number;
  /** Hex. */
  sha256: string;
}

/** What one transfer has in place on this disk, entry by entry; what is on disk and what is noted always agree. */
export class Destination {
  readonly #openTree: () => Promise<LocalTree>;
  readonly #entries: readonly ManifestEntry[];
  readonly #journal: ReceiptJournal;
  #tree: LocalTree;
  #bytes = 0;
  #recovered: ReceivedFile[] = [];

  private constructor(
    entries: readonly ManifestEntry[],
    journal: ReceiptJournal,
    tree: LocalTree,
    openTree: () => Promise<LocalTree>,
  ) {
    this.#entries = entries;
    this.#journal = journal;
    this.#tree = tree;
    this.#openTree = openTree;
    for (const { size } of entries.slice(0, journal.next)) this.#bytes += size;
    for (const placing of journal.placing) {
      if (placing.state === 'placed' && placing.sha256 !== '') this.#recovered.push(this.#received(placing));
    }
  }

  /** `into`: absolute; made if missing. */
  static async open(o: {
    entries: readonly ManifestEntry[];
    into: string;
    store: ReceiptStore;
    confinement?: Confinement | undefined;
  }): Promise<Destination> {
    const journal = new ReceiptJournal(o.store);
    const locals = nameLocally(o.entries);
    const openTree = async () => {
      await makeFolder(o.into);
      return new LocalTree(openFolder(o.into, o.confinement), o.into, locals, journal.renamed);
    };
    return new Destination(o.entries, journal, await openTree(), openTree);
  }

  /** The first entry not in place; the number of entries when all are. */
  get next(): number {
    return this.#journal.next;
  }

  /** Of the files in place, and of those that were left out. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many files the sender has left out. */
  get skipped(): number {
    return this.#journal.skipped;
  }

  /** No file is missing but those left out. Folders may be. */
  get hasAllFiles(): boolean {
    let next = this.next;
    while (this.#entries[next]?.directory) next++;
    return next === this.#entries.length;
  }

  /**
   * Files that were put in place without land() having said so, or perhaps without anyone having heard it: the last ones
   * of the run before this.
   */
  get recovered(): readonly ReceivedFile[] {
    return this.#recovered;
  }

  /** Looks anew at a disk where anything may have happened. */
  async reopen(): Promise<void> {
    const before = this.#tree;
    this.#tree = await this.#openTree();
    before.close();
  }

  /** Finds out what became of announced names when a run ended, or the disk failed, in the middle of it. */
  async recover(signal: AbortSignal): Promise<void> {
    for (const placing of this.#journal.placing) {
      if (placing.state !== 'announced') continue;
      this.#makeFoldersBefore(placing.entry);
      if (placing.entry === this.next && !(await this.#recoverOne(placing, signal))) return this.#journal.withdraw();
    }
  }

  /** False if it has to come again. */
  async #recoverOne(placing: Placing, signal: AbortSignal): Promise<boolean> {
    const entry = this.#entries[placing.entry];
    if (!entry) return false;
    const folder = this.#tree.makeParent(placing.entry);
    if (entry.directory) {
      if (finishClaim(folder, placing.name)) this.#journal.placedFolder(this.#tree.nameOf(placing.entry));
      return true;
    }
    const temp = this.#journal.tempName(placing.entry);
    const announced = { ...placing, size: entry.size };
    if (!(await finishLanding(folder, temp, announced, signal))) {
      if (!(await isComplete(folder, temp, announced, signal))) return false;
      const move = { entry: placing.entry, temp, name: this.#tree.nameOf(placing.entry) };
      putInPlace(this.#tree, [move], () => this.#journal.rename(move.name));
    }
    this.#placed(placing.entry);
    this.#recovered.push(this.#received(placing));
    return true;
  }

  /** Makes the folders that come before the next file. */
  makeFolders(): void {
    while (this.#entries[this.next]?.directory) {
      if (this.#tree.isTopLevel(this.next)) this.#claim(this.next);
      else this.#makeFolder(this.next);
    }
  }

  /** Those between the files of a group, which has none at the top. */
  #makeFoldersBefore(entry: number): void {
    while (this.next < entry && this.#entries[this.next]?.directory && !this.#tree.isTopLevel(this.next)) {
      this.#makeFolder(this.next);
    }
  }

  #makeFolder(entry: number): void {
    this.#tree.make(entry);
    this.#journal.advance();
  }

  #claim(entry: number): void {
    const top = this.#tree.makeParent(entry);
    const wanted = this.#tree.nameOf(entry);
    claimFolder(top, wanted, (name) => this.#journal.announce([{ entry, name, sha256: '' }]));
    this.#journal.placedFolder(wanted);
  }

  /** Where the next file's content goes until it is complete. */
  temp(): TempPlace {
    // A file that takes long must not leave the progress before it unsaved for as long.
    if ((this.#entries[this.next]?.size ?? 0) >= WORTH_SAVING_BYTES) this.#journal.save();
    return { folder: this.#tree.makeParent(this.next), name: this.#journal.tempName(this.next) };
  }

  /** Puts the next file in place, whose sealed temporary file has this digest. */
  land(sha256: string): ReceivedFile {
    const [file] = this.#landAll([{ entry: this.next, sha256 }]);
    if (!file) throw new Error('nothing was put in place');
    return file;
  }

  /** Writes the next files, a group() which holds what its digests say, and puts them in place. */
  landWhole(files: readonly WholeFile[]): ReceivedFile[] {
    // After a power failure all of them are there to get the names that are announced then.
    this.#tree.inParents(files, (folder, { entry, bytes }) => {
      writeWhole({ folder, name: this.#journal.tempName(entry) }, this.#entry(entry), bytes);
    });
    return this.#landAll(files);
  }

  /** The next file is not going to come. */
  skip(): void {
    this.#removeTemp(this.next);
    this.#bytes += this.#entry(this.next).size;
    this.#journal.skip();
  }

  /** The next files, as many as can be put in place together: the name of a folder at the top is to be found first. */
  *group(): Generator<number, void> {
    for (let entry = this.next, files = 0; entry < this.#entries.length && files < MAX_GROUP; entry++) {
      if (!this.#entry(entry).directory) {
        yield entry;
        files++;
      } else if (this.#tree.isTopLevel(entry)) return;
    }
  }

  #landAll(files: readonly { entry: number; sha256: string }[]): ReceivedFile[] {
    const moves = files.map(({ entry, sha256 }) => ({
      entry,
      temp: this.#journal.tempName(entry),
      name: this.#tree.nameOf(entry),
      sha256,
    }));
    putInPlace(this.#tree, moves, () => this.#journal.announce(moves));
    return moves.map((placed) => {
      this.#makeFoldersBefore(placed.entry);
      this.#placed(placed.entry);
      return this.#received(placed);
    });
  }

  #placed(entry: number): void {
    const { size } = this.#entry(entry);
    this.#journal.placed();
    this.#bytes += size;
    if (size >= WORTH_SAVING_BYTES) this.#journal.save();
  }

  #received({ entry, name, sha256 }: { entry: number; name: string; sha256: string }): ReceivedFile {
    const { path, size } = this.#entry(entry);
    return { name: path, path: this.#tree.pathOf(entry, name), bytes: size, sha256 };
  }

  #entry(index: number): ManifestEntry {
    const entry = this.#entries[index];
    if (!entry) throw new Error(`the manifest has no entry ${index}`);
    return entry;
  }

  /** Gives the folders their modes and times: last of all, since every new name changes a time. */
  finishFolders(): void {
    finishFolders(this.#tree, this.#entries);
  }

  /** Takes away the temporary files that there can be. */
  removeTemps(): void {
    for (const entry of this.group()) this.#removeTemp(entry);
  }

  #removeTemp(entry: number): void {
    removeTemp(this.#tree, entry, this.#journal.tempName(entry));
  }

  /** Takes away the folders made so far that hold nothing. */
  removeEmptyFolders(): void {
    const last = [...this.group()].at(-1) ?? this.next;
    removeEmptyFolders(this.#tree, this.#entries.slice(0, last));
  }

  /** Notes all progress and closes everything. */
  close(): void {
    try {
      this.#journal.save();
    } catch (error) {
      // A journal's disk may be full. What was announced is noted, and the rest is found out from this disk.
      if (!(error instanceof UserError)) throw error;
    }
    this.#tree.close();
  }
}
