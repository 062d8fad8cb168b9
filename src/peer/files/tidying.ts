import { rmdirSync, unlinkSync } from 'node:fs';
import { errorCode } from '../../protocol/errors.js';
import type { ManifestEntry } from '../../protocol/messages.js';
import type { LocalTree } from './local-tree.js';

/** Gives the folders their modes and times, the deepest first. */
export function finishFolders(tree: LocalTree, entries: readonly ManifestEntry[]): void {
  for (const [index, entry] of [...entries.entries()].reverse()) {
    if (entry.directory) unlessGone(() => tree.find(index).setAttributes(entry));
  }
}

/** Takes away those of the folders that hold nothing. */
export function removeEmptyFolders(tree: LocalTree, entries: readonly ManifestEntry[]): void {
  for (const [index, { directory }] of [...entries.entries()].reverse()) {
    if (directory) unlessGone(() => rmdirSync(tree.findParent(index).at(tree.nameOf(index))));
  }
}

export function removeTemp(tree: LocalTree, entry: number, temp: string): void {
  unlessGone(() => unlinkSync(tree.findParent(entry).at(temp)));
}

/** The person may have moved or removed a folder since, or put something into it. */
function unlessGone(change: () => void): void {
  try {
    change();
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) throw error;
  }
}
