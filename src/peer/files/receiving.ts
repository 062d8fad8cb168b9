import { hash } from 'node:crypto';
import { resolve } from 'node:path';
import { ProtocolError } from '../../protocol/errors.js';
import type { Checkpoint, ManifestEntry } from '../../protocol/messages.js';
import { Destination, type ReceivedFile } from './destination.js';
import { explainDiskError } from './disk-errors.js';
import { DigestMismatchError } from './file-errors.js';
import type { Confinement } from './folder.js';
import { PartialFile, type WholeFile } from './partial-file.js';
import type { ReceiptStore } from './receipt-journal.js';

export type { ReceivedFile } from './destination.js';
export { DigestMismatchError } from './file-errors.js';
export type { WholeFile } from './partial-file.js';

export interface ReceivingOptions {
  transfer: string;
  /** As checkManifest passed them. */
  entries: readonly ManifestEntry[];
  /** The folder that the person chose, the same after every restart; made if missing. */
  into: string;
  store: ReceiptStore;
  /** Ends the reading of what earlier runs have left. */
  signal: AbortSignal;
  /** How writing is kept inside `into`; by default as strictly as this system can. */
  confinement?: Confinement;
}

/**
 * One transfer on its way to disk. After open(), and again after every break, comes want(), then what the sender
 * answers: resume(), write() and fileEnd() or skip(), in the manifest's order. Calls are carried out one after the other.
 * They reject with a ProtocolError for what the sender may not do, and with a UserError (7) for what the disk would not
 * do; after either, want() goes on from what is there.
 */
export class Receiving {
  readonly entries: readonly ManifestEntry[];
  readonly #into: string;
  readonly #destination: Destination;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  /** 'asked': the sender has yet to say from where it resumes. */
  #state: 'idle' | 'asked' | 'flowing' | 'ended' = 'idle';
  /** Of the destination's next entry. */
  #partial: PartialFile | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(o: ReceivingOptions, destination: Destination) {
    this.#into = resolve(o.into);
    this.entries = o.entries;
    this.#destination = destination;
    this.#signal = AbortSignal.any([o.signal, this.#ending.signal]);
  }

  /** Begins a transfer, or goes on with what `store` and the disk hold of it. */
  static async open(o: ReceivingOptions): Promise<Receiving> {
    const into = resolve(o.into);
    try {
      const destination = await Destination.open({ ...o, into });
      try {
        await destination.recover(o.signal);
      } catch (error) {
        destination.close();
        throw error;
      }
      return new Receiving(o, destination);
    } catch (error) {
      throw explainDiskError(error, into);
    }
  }

  /** Bytes of the files in place, and of what there is of the current one. */
  get bytesInPlace(): number {
    return this.#destination.bytes + (this.#partial?.length ?? 0);
  }

  /** No file is missing any more but those left out: what is left is complete(). */
  get finished(): boolean {
    return this.#destination.hasAllFiles;
  }

  /** How many files the sender has left out. */
  get skipped(): number {
    return this.#destination.skipped;
  }

  /**
   * Files in place that no call of this run reported: the last ones of the run before, which may have ended before
   * anyone heard of them, or what a failing disk cut off at the very end. Look after open() and want().
   */
  get recovered(): readonly ReceivedFile[] {
    return this.#destination.recovered;
  }

  /** The first file not in place and what is there of it; `entry` is the number of entries when all is in place. */
  want(): Promise<{ entry: number; checkpoints: Checkpoint[] }> {
    return this.#inTurn(async () => {
      this.#state = 'idle';
      await this.#destination.reopen();
      await this.#destination.recover(this.#signal);
      this.#destination.makeFolders();
      const entry = this.#destination.next;
      const wanted = this.entries[entry];
      if (this.#partial?.wasChanged()) this.#letGo();
      if (wanted && !this.#partial) {
        this.#partial = await PartialFile.reopen(this.#destination.temp(), wanted.size, this.#signal);
      }
      this.#state = 'asked';
      return { entry, checkpoints: this.#partial?.checkpoints() ?? [] };
    });
  }

  /** The sender goes on from `offset`: 0, or one of the checkpoints of the last want(). */
  resume(entry: number, offset: number): Promise<void> {
    return this.#inTurn(() => {
      if (this.#state !== 'asked') throw new ProtocolError('a resume that answers nothing');
      if (entry !== this.#destination.next) throw new ProtocolError('a resume of another file than the wanted one');
      const lengths = this.#partial?.checkpoints().map(({ length }) => length) ?? [];
      if (offset !== 0 && !lengths.includes(offset)) throw new ProtocolError('a resume at no checkpoint');
      this.#orLetGo(() => this.#partial?.resumeAt(offset));
      this.#state = 'flowing';
    });
  }

  /** `bytes` are what the file holds from `offset` on. */
  write(entry: number, offset: number, bytes: Buffer): Promise<void> {
    return this.#inTurn(() => {
      const { size } = this.#expect(entry);
      const held = this.#partial?.length ?? 0;
      const { length } = bytes;
      if (offset !== held) throw new ProtocolError('data that do not follow what came before');
      if (length === 0 || held + length > size) throw new ProtocolError('more or less data than the manifest says');
      const partial = this.#partial ?? this.#create();
      this.#orLetGo(() => partial.append(bytes));
    });
  }

  /** Verifies the whole file and puts it in place, under a numbered name if its own is taken; durable when resolved. */
  fileEnd(entry: number, size: number, sha256: Buffer): Promise<ReceivedFile> {
    return this.#inTurn(() => {
      const expected = this.#expect(entry);
      if (size !== expected.size || (this.#partial?.length ?? 0) !== size) {
        throw new ProtocolError('a file that ends elsewhere than the manifest says');
      }
      const partial = this.#partial ?? this.#create();
      if (!partial.digest().equals(sha256)) {
        this.#state = 'idle';
        this.#partial = null;
        partial.close();
        this.#destination.removeTemps();
        throw new DigestMismatchError(expected.path);
      }
      this.#orLetGo(() => partial.seal(expected));
      this.#partial = null;
      return this.#orLetGo(() => this.#destination.land(sha256.toString('hex')));
    });
  }

  /**
   * write() and fileEnd() of files that follow each other, at a fraction of their cost: they share one note in the
   * journal and the syncs of their folders. Resolves to those in place; the others are to be handed over again.
   */
  whole(files: readonly WholeFile[]): Promise<ReceivedFile[]> {
    return this.#inTurn(() => {
      this.#expect(files[0]?.entry ?? this.entries.length);
      const group = this.#groupOf(files);
      // What an earlier run left of the first one; it was resumed at 0.
      this.#partial?.close();
      this.#partial = null;
      const wrong = group.findIndex(({ bytes, sha256 }) => hash('sha256', bytes) !== sha256);
      if (wrong === 0) {
        this.#state = 'idle';
        throw new DigestMismatchError(this.entries[this.#destination.next]?.path ?? '');
      }
      return this.#orLetGo(() => this.#destination.landWhole(wrong === -1 ? group : group.slice(0, wrong)));
    });
  }

  /** The sender leaves this file out: what has come of it goes, and the next one follows. */
  skip(entry: number): Promise<void> {
    return this.#inTurn(() => {
      this.#expect(entry);
      this.#partial?.close();
      this.#partial = null;
      this.#orLetGo(() => this.#destination.skip());
    });
  }

  /** Those that can be put in place together, all of which must be as the manifest says. */
  #groupOf(files: readonly WholeFile[]): WholeFile[] {
    const group: WholeFile[] = [];
    for (const entry of this.#destination.group()) {
      const file = files[group.length];
      if (!file) break;
      if (file.entry !== entry) throw new ProtocolError('data of another file than the next');
      const isWhole = file.bytes.length === this.entries[entry]?.size;
      if (!isWhole) throw new ProtocolError('more or less data than the manifest says');
      group.push(file);
    }
    return group;
  }

  /** When all is in place: gives the folders their modes and times, and ends. */
  complete(): Promise<void> {
    return this.#inTurn(() => {
      if (!this.finished) throw new Error('complete() before all files are in place');
      this.#destination.makeFolders();
      this.#destination.finishFolders();
      this.#end();
    });
  }

  /** Ends for good: takes away the temporary file and the folders that hold nothing. Files in place stay. */
  discard(): Promise<void> {
    this.#ending.abort(new Error('the transfer was discarded'));
    return this.#inTurn(() => {
      this.#letGo();
      this.#destination.removeTemps();
      this.#destination.removeEmptyFolders();
      this.#end();
    });
  }

  /** Ends for now: closes everything and keeps what open() needs to go on. Does nothing after another end. */
  suspend(): Promise<void> {
    this.#ending.abort(new Error('the transfer was suspended'));
    return this.#inTurn(() => this.#end(), 'also when ended');
  }

  #expect(entry: number): ManifestEntry {
    if (this.#state !== 'flowing') throw new ProtocolError('data that nobody asked for');
    this.#destination.makeFolders();
    const expected = this.entries[entry];
    if (!expected || entry !== this.#destination.next) throw new ProtocolError('data of another file than the next');
    return expected;
  }

  #create(): PartialFile {
    this.#partial = PartialFile.create(this.#destination.temp());
    return this.#partial;
  }

  /** After a failure nothing is sure but what is on disk: it will be read again. */
  #orLetGo<T>(change: () => T): T {
    try {
      return change();
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  #letGo(): void {
    this.#state = 'idle';
    const partial = this.#partial;
    this.#partial = null;
    partial?.close();
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#letGo();
    this.#state = 'ended';
    this.#destination.close();
  }

  #inTurn<T>(job: () => T | Promise<T>, when: 'unless ended' | 'also when ended' = 'unless ended'): Promise<T> {
    const result = this.#turn.then(async () => {
      try {
        if (this.#state === 'ended' && when === 'unless ended') throw new Error('this transfer has ended here');
        return await job();
      } catch (error) {
        throw explainDiskError(error, this.#into);
      }
    });
    this.#turn = result.catch(() => {});
    return result;
  }
}
