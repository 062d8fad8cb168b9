import { sanitise } from '../../protocol/sanitise.js';
import type { HistoryLine } from '../session/conversation.js';
import { type Entry, lineCount, lineRows, type MessageEntry, ruleRow } from './entry-rows.js';
import { formatDay } from './format.js';
import type { Row } from './rows.js';
import type { Lines } from './wording.js';

export interface TranscriptView {
  rows: Row[];
  /** Rows hidden below: what was asked for, cut down to what there is. */
  offset: number;
}

/** Older entries leave the screen's memory; the journal keeps them. */
export const MAX_ENTRIES = 5_000;

interface Layout {
  width: number;
  separators: Row[];
  /** ends[i]: rows of the entry up to and including its line i, its separators counted in. */
  ends: Uint32Array;
}

/** The conversation as rows of any width. Rows are counted for all of it, but made only where it is looked at. */
export class Transcript {
  #entries: Entry[] = [];
  readonly #messages = new Map<string, MessageEntry>();
  readonly #layouts = new Map<Entry, Layout>();
  readonly #peerName: string;
  #unreadFrom: string | undefined;

  constructor(peerName: string) {
    this.#peerName = peerName;
  }

  /** Adds a message; one that is there already, by its id, is left as it is. */
  addMessage(line: HistoryLine): void {
    if (!this.#messages.has(line.id)) this.#add(this.#entryOf(line));
  }

  /** Puts those that are not there yet before everything else, as far as there is room. Returns whether there were any. */
  addOlder(lines: readonly HistoryLine[]): boolean {
    const room = Math.max(0, MAX_ENTRIES - this.#entries.length);
    const missing = lines.filter(({ id }) => !this.#messages.has(id));
    const older = missing.slice(Math.max(0, missing.length - room)).map((line) => this.#entryOf(line));
    // The day above the one that was the first may stand further up now.
    if (this.#entries[0]) this.#layouts.delete(this.#entries[0]);
    this.#entries = [...older, ...this.#entries];
    return older.length > 0;
  }

  #entryOf({ id, from, text, at, state }: HistoryLine): MessageEntry {
    const lines = sanitise(text).split('\n');
    const entry: MessageEntry = { kind: 'message', id, from, at: new Date(at), lines, state };
    this.#messages.set(id, entry);
    return entry;
  }

  addNote(at: Date, lines: Lines): void {
    this.#add({ kind: 'note', at, lines });
  }

  /** As it is shown; undefined: it is not. */
  textOf(id: string): string | undefined {
    return this.#messages.get(id)?.lines.join('\n');
  }

  /** Takes a message off the screen, with what quotes it; what stood below moves up. */
  remove(id: string): void {
    const shows = (entry: Entry) => (entry.kind === 'message' ? entry.id === id : entry.lines.quotes?.includes(id));
    this.#messages.delete(id);
    // The day above what goes may now have to stand above what follows.
    for (const [at, entry] of this.#entries.entries()) {
      if (!shows(entry)) continue;
      for (const moved of this.#entries.slice(at, at + 2)) this.#layouts.delete(moved);
    }
    this.#entries = this.#entries.filter((entry) => !shows(entry));
  }

  /** Receipts only go forward: delivered never follows read. */
  setReceipt(id: string, state: 'delivered' | 'read'): void {
    const entry = this.#messages.get(id);
    if (entry?.from !== 'me' || entry.state === 'read') return;
    entry.state = state;
    this.#layouts.delete(entry);
  }

  /** Draws the line above the first message that the person has not seen; undefined: above none. */
  markUnreadFrom(id: string | undefined): void {
    const before = this.#unreadFrom;
    this.#unreadFrom = id;
    for (const changed of [before, id]) {
      const entry = changed === undefined ? undefined : this.#messages.get(changed);
      if (entry) this.#layouts.delete(entry);
    }
  }

  clear(): void {
    this.#entries = [];
    this.#messages.clear();
    this.#layouts.clear();
  }

  height(width: number): number {
    return this.#entries.reduce((sum, entry, i) => sum + heightOf(this.#layout(entry, i, width)), 0);
  }

  /** The `height` rows that end `offset` rows above the bottom. */
  view(width: number, height: number, offset: number): TranscriptView {
    const reachable = Math.max(0, Math.min(offset, this.height(width) - height));
    let rows: Row[] = [];
    let below = reachable;
    for (let i = this.#entries.length - 1; rows.length < height; i -= 1) {
      const entry = this.#entries[i];
      if (!entry) break;
      const layout = this.#layout(entry, i, width);
      const end = heightOf(layout) - below;
      below = Math.max(0, -end);
      if (end > 0) rows = [...this.#rows(entry, layout, Math.max(0, end - height + rows.length), end), ...rows];
    }
    return { rows, offset: reachable };
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length <= MAX_ENTRIES) return;
    const oldest = this.#entries.shift();
    if (oldest) this.#layouts.delete(oldest);
    if (oldest?.kind === 'message') this.#messages.delete(oldest.id);
    // The next one is the first now, and needs its day above it.
    if (this.#entries[0]) this.#layouts.delete(this.#entries[0]);
  }

  #layout(entry: Entry, index: number, width: number): Layout {
    const known = this.#layouts.get(entry);
    if (known?.width === width) return known;
    const separators = this.#separators(entry, this.#entries[index - 1], width);
    const ends = new Uint32Array(lineCount(entry));
    let end = separators.length;
    for (let line = 0; line < ends.length; line += 1) {
      end += lineRows(entry, line, width, this.#peerName).length;
      ends[line] = end;
    }
    const layout = { width, separators, ends };
    this.#layouts.set(entry, layout);
    return layout;
  }

  #separators(entry: Entry, previous: Entry | undefined, width: number): Row[] {
    const separators: Row[] = [];
    const day = formatDay(entry.at);
    if (!previous || formatDay(previous.at) !== day) separators.push(ruleRow(day, 'dim', width));
    const isUnread = entry.kind === 'message' && entry.id === this.#unreadFrom;
    if (isUnread) separators.push(ruleRow('new', 'warn', width));
    return separators;
  }

  /** Rows `from` up to but not including `to` of one entry. */
  #rows(entry: Entry, layout: Layout, from: number, to: number): Row[] {
    const rows = layout.separators.slice(from, to);
    const firstLine = layout.ends.findIndex((end) => end > from);
    for (let line = Math.max(0, firstLine); line < layout.ends.length; line += 1) {
      const start = layout.ends[line - 1] ?? layout.separators.length;
      if (start >= to) break;
      const wrapped = lineRows(entry, line, layout.width, this.#peerName);
      rows.push(...wrapped.slice(Math.max(0, from - start), to - start));
    }
    return rows;
  }
}

function heightOf(layout: Layout): number {
  return layout.ends.at(-1) ?? layout.separators.length;
}
