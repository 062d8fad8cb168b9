import type { KeyObject } from 'node:crypto';
import type { PublicIdentity } from '../protocol/identity.js';
import type { Succession } from '../protocol/succession.js';
import type { Bar } from './bars.js';

/** A file of the directory that holds a key. */
export interface DirectoryEntry {
  identity: PublicIdentity | null;
  successions: readonly Succession[];
}

export interface Admissions {
  keys: Map<string, KeyObject>;
  /** Named beside another by one and the same key, and so not admitted. */
  disputed: Set<string>;
  /** Successors of barred keys that have no bar of their own yet. */
  newBars: Bar[];
}

/**
 * Whom the files of the directory and the bars admit together. A bar reaches every successor that is known of. Of two
 * successors of one key neither comes in by its succession; a file with a bare key is the operator's own word, and does.
 */
export function decideAdmissions(entries: readonly DirectoryEntry[], bars: readonly Bar[]): Admissions {
  const successions = entries.flatMap((entry) => entry.successions);
  const barred = new Map(bars.map((bar) => [bar.id, bar]));
  const newBars: Bar[] = [];
  for (const { id, because } of barred.values()) {
    for (const { former, successor } of successions) {
      if (former.id !== id || barred.has(successor.id)) continue;
      const bar = { id: successor.id, because: because ?? id };
      // The loop goes on to it: a Map's iteration sees what is added to it.
      barred.set(bar.id, bar);
      newBars.push(bar);
    }
  }

  const disputed = disputedSuccessors(successions);
  const keys = new Map<string, KeyObject>();
  for (const entry of entries) {
    const { identity } = entry;
    if (!identity || barred.has(identity.id)) continue;
    const isOwnWord = entry.successions.length === 0;
    if (isOwnWord || !disputed.has(identity.id)) keys.set(identity.id, identity.key);
  }
  return { keys, disputed, newBars };
}

function disputedSuccessors(successions: readonly Succession[]): Set<string> {
  const bySource = new Map<string, Set<string>>();
  for (const { former, successor } of successions) {
    bySource.set(former.id, (bySource.get(former.id) ?? new Set()).add(successor.id));
  }
  const disputed = new Set([...bySource.values()].filter((named) => named.size > 1).flatMap((named) => [...named]));
  // Whoever descends from a key that may be a thief's may be the thief.
  for (const id of disputed) for (const successor of bySource.get(id) ?? []) disputed.add(successor);
  return disputed;
}
