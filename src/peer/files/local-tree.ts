import { join } from 'node:path';
import type { Folder } from './folder.js';
import { enterOrMake } from './landing.js';
import type { LocalEntry } from './local-name.js';

/** Stands for the folder that the person chose where an entry's index is asked for. */
const TOP = -1;

/** The folders of one transfer on this disk. Keeps the one that was used last open. */
export class LocalTree {
  readonly #root: Folder;
  readonly #path: string;
  readonly #locals: readonly LocalEntry[];
  readonly #renamed: ReadonlyMap<number, string>;
  #current: { entry: number; folder: Folder };

  /** `path` is that of `root`; `renamed` are the local names of top-level folders whose own were taken. */
  constructor(root: Folder, path: string, locals: readonly LocalEntry[], renamed: ReadonlyMap<number, string>) {
    this.#root = root;
    this.#path = path;
    this.#locals = locals;
    this.#renamed = renamed;
    this.#current = { entry: TOP, folder: root };
  }

  /** The name that `entry` has, or would like to have, in its folder. */
  nameOf(entry: number): string {
    return this.#renamed.get(entry) ?? this.#local(entry).name;
  }

  /** The absolute path of `name` in the folder of `entry`. To be shown: nothing is opened by it. */
  pathOf(entry: number, name: string): string {
    const parts = [name];
    for (let up = this.#local(entry).parent; up !== TOP; up = this.#local(up).parent) parts.unshift(this.nameOf(up));
    return join(this.#path, ...parts);
  }

  isTopLevel(entry: number): boolean {
    return this.#local(entry).parent === TOP;
  }

  /** Another number for each folder. */
  parentOf(entry: number): number {
    return this.#local(entry).parent;
  }

  /** The folder that `entry` is. What find() does not find (ENOENT), make() makes. Open until the next call. */
  find(entry: number): Folder {
    return this.#open(entry, (folder, name) => folder.enter(name));
  }

  make(entry: number): Folder {
    return this.#open(entry, enterOrMake);
  }

  /** The same for the folder that `entry` lies in. */
  findParent(entry: number): Folder {
    return this.find(this.#local(entry).parent);
  }

  makeParent(entry: number): Folder {
    return this.make(this.#local(entry).parent);
  }

  /** Does `job` for each entry in the folder that it lies in, which is made if missing. All that it did is durable on return. */
  inParents<Item extends { entry: number }>(items: readonly Item[], job: (folder: Folder, item: Item) => void): void {
    for (const [index, item] of items.entries()) {
      const folder = this.makeParent(item.entry);
      job(folder, item);
      const next = items[index + 1];
      if (!next || this.parentOf(next.entry) !== this.parentOf(item.entry)) folder.sync();
    }
  }

  close(): void {
    this.#use(TOP, this.#root);
    this.#root.close();
  }

  #open(entry: number, step: (folder: Folder, name: string) => Folder): Folder {
    const missing: number[] = [];
    let from = entry;
    for (; from !== TOP && from !== this.#current.entry; from = this.#local(from).parent) missing.unshift(from);
    if (from === TOP) this.#use(TOP, this.#root);
    for (const next of missing) this.#use(next, step(this.#current.folder, this.nameOf(next)));
    return this.#current.folder;
  }

  #use(entry: number, folder: Folder): void {
    const previous = this.#current.folder;
    this.#current = { entry, folder };
    if (previous !== this.#root && previous !== folder) previous.close();
  }

  #local(entry: number): LocalEntry {
    const local = this.#locals[entry];
    if (!local) throw new Error(`no entry ${entry}`);
    return local;
  }
}
