import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type Appended, Journal } from '../../../../src/peer/session/journal/journal.js';
import type { ItemBody } from '../../../../src/protocol/messages.js';
import { newRsaKey } from '../../../support/keys.js';

/** One key for all journals of a test file: making one takes a tenth of a second. */
export const privateKey = newRsaKey();

/** Folders that are removed, and journals that are closed, after the file's tests. */
const folders: string[] = [];
const journals = new Set<Journal>();

afterAll(() => {
  for (const journal of journals) journal.close();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-journal-'));
  folders.push(folder);
  return folder;
}

export function openJournal(directory = newFolder()): Journal {
  const journal = Journal.open({ directory, privateKey });
  journals.add(journal);
  return journal;
}

export function closeJournal(journal: Journal): void {
  journals.delete(journal);
  journal.close();
}

export function text(words: string): ItemBody {
  return { kind: 'text', text: words };
}

export function write(journal: Journal, words: string, ref?: string): Appended {
  return journal.append(text(words), 1_700_000_000_000, ref);
}

/** What both sides do when a link begins, until neither takes a new journal id. Returns what each learnt is delivered. */
export function meet(a: Journal, b: Journal): { a: string[]; b: string[] } {
  const delivered: { a: string[]; b: string[] } = { a: [], b: [] };
  let before: string;
  do {
    before = a.id + b.id;
    delivered.b.push(...b.reconcile(a.held()));
    delivered.a.push(...a.reconcile(b.held()));
  } while (a.id + b.id !== before);
  return delivered;
}

/** Sends everything from one to the other, acknowledged. */
export function deliverAll(from: Journal, to: Journal): void {
  for (const item of from.outgoing(0, 1_000_000)) to.receive(item);
  const { journalId, sequence } = to.peerAck();
  from.acknowledge(journalId, sequence);
}

/** The disk as a kill -9 or a power cut at this moment would leave it, in a folder of its own. */
export function copyAsIs(folder: string): string {
  const copy = newFolder();
  for (const name of readdirSync(folder)) {
    if (/^journal\.(key|db|db-wal)$/.test(name)) cpSync(join(folder, name), join(copy, name));
  }
  return copy;
}

export function receivedTexts(journal: Journal): string[] {
  return journal
    .history(1_000_000)
    .filter((line) => line.from === 'peer')
    .map((line) => line.text);
}

export function pendingTexts(journal: Journal): string[] {
  return journal.outgoing(0, 1_000_000).flatMap(({ body }) => (body.kind === 'text' ? [body.text] : []));
}
