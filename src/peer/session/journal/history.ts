import type { HistoryLine } from '../conversation.js';
import type { Database } from './database.js';
import { wordQuery, wordsOf } from './words.js';

export interface MessageRow {
  mine: number;
  journal: string;
  sequence: number;
  at_ms: number;
  text: ArrayBuffer;
  delivered: number;
  read: number;
}

export const MESSAGE_COLUMNS = 'mine, journal, sequence, at_ms, text, delivered, read';
/** The end of the year 9999. The peer may claim a later moment, even one that a Date cannot hold. */
const LAST_MS = 253_402_300_799_999;
/** Texts that are read into memory together. */
const PAGE = 500;
const MESSAGE_ID = /^([0-9a-f]{32})-([1-9][0-9]{0,15})$/;

export interface MessageId {
  journalId: string;
  sequence: number;
}

export function messageId(journalId: string, sequence: number): string {
  return `${journalId}-${sequence}`;
}

function parseMessageId(id: string): MessageId | null {
  const [, journalId, sequence] = MESSAGE_ID.exec(id) ?? [];
  return journalId === undefined ? null : { journalId, sequence: Number(sequence) };
}

/** Both sides' texts in the order in which they were journalled here, and the index of their words. */
export class History {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `lifetimeMs`: from its delivery; 0: it stays. */
  addMine(journalId: string, sequence: number, atMs: number, text: string, lifetimeMs = 0): void {
    this.#add(1, journalId, sequence, atMs, text, lifetimeMs);
  }

  /** One that is there already (the mark of a journal may be forgotten, see peer-items.ts) stays as it is. */
  addPeers(journalId: string, sequence: number, atMs: number, text: string, lifetimeMs = 0): void {
    this.#add(0, journalId, sequence, atMs, text, lifetimeMs);
  }

  /** My texts up to `sequence` are on the peer's disk; the ids of those for which this is new. */
  markDelivered(journalId: string, sequence: number): string[] {
    // Named: SQLite would take the index of all that was ever said, and be slower with each message.
    const where = 'mine = 1 AND delivered = 0 AND journal = ? AND sequence <= ?';
    const rows = this.#database.all<MessageRow>(
      `SELECT sequence FROM history INDEXED BY undelivered WHERE ${where} ORDER BY sequence`,
      journalId,
      sequence,
    );
    if (rows.length > 0) {
      this.#database.run(
        `UPDATE history INDEXED BY undelivered SET delivered = 1, vanish_at_ms = ? + lifetime_ms WHERE ${where}`,
        Date.now(),
        journalId,
        sequence,
      );
    }
    return rows.map((row) => messageId(journalId, row.sequence));
  }

  /** True if this is my text, and was not read before. */
  markReadByPeer(journalId: string, sequence: number): boolean {
    return this.#markRead(1, journalId, sequence);
  }

  /** null unless this is a text of the peer's that was not read before. */
  markReadByMe(id: string): MessageId | null {
    const parsed = parseMessageId(id);
    return parsed && this.#markRead(0, parsed.journalId, parsed.sequence) ? parsed : null;
  }

  unshown(): HistoryLine[] {
    return this.#lines(`SELECT ${MESSAGE_COLUMNS} FROM history WHERE shown = 0 ORDER BY position`);
  }

  markShown(id: string): void {
    const parsed = parseMessageId(id);
    if (!parsed) return;
    this.#database.run(
      'UPDATE history SET shown = 1 WHERE mine = 0 AND journal = ? AND sequence = ? AND shown = 0',
      parsed.journalId,
      parsed.sequence,
    );
  }

  /** The ids of my texts above `base` follow their items to another journal. */
  moveMine(from: string, base: number, to: string): void {
    this.#database.run(
      'UPDATE history SET journal = ?, sequence = sequence - ? WHERE mine = 1 AND journal = ? AND sequence > ?',
      to,
      base,
      from,
      base,
    );
  }

  last(count: number): HistoryLine[] {
    return this.#lines(
      `SELECT ${MESSAGE_COLUMNS} FROM history ORDER BY position DESC LIMIT ?`,
      rowLimit(count),
    ).reverse();
  }

  search(typed: string, count: number): HistoryLine[] {
    const query = wordQuery(typed);
    if (query === null) return [];
    this.indexRest();
    return this.#lines(
      `SELECT ${MESSAGE_COLUMNS} FROM words JOIN history ON history.position = words.rowid
       WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?`,
      query,
      rowLimit(count),
    ).reverse();
  }

  /**
   * Has searches find all that came since this was last done: before each search, and when the journal is closed. Not
   * with each message, which would wait as long for it as for all the rest of its commit.
   */
  indexRest(): void {
    if (this.#after(this.#lastIndexed(), 1).length === 0) return;
    this.#database.transaction(() => {
      for (let last = this.#lastIndexed(); ; ) {
        const rows = this.#after(last, PAGE);
        for (const { position, text } of rows) this.#index(position, Buffer.from(text).toString());
        const end = rows.at(-1);
        if (!end) return;
        last = end.position;
      }
    });
  }

  #after(position: number, limit: number): { position: number; text: ArrayBuffer }[] {
    return this.#database.all(
      'SELECT position, text FROM history WHERE position > ? ORDER BY position LIMIT ?',
      position,
      limit,
    );
  }

  /** When the next message is to go, of those that were shown; null: none is. */
  nextVanishing(): number | null {
    const row = this.#database.get<{ next: number | null }>(
      'SELECT min(vanish_at_ms) AS next FROM history WHERE lifetime_ms IS NOT NULL AND shown = 1',
    );
    return row?.next ?? null;
  }

  /** Deletes the messages whose time is over, and their words; their ids. What nobody has seen yet waits. */
  vanish(nowMs: number): string[] {
    const indexed = this.#lastIndexed();
    const rows = this.#database.all<MessageRow & { position: number }>(
      `SELECT position, ${MESSAGE_COLUMNS} FROM history
       WHERE lifetime_ms IS NOT NULL AND vanish_at_ms <= ? AND shown = 1 ORDER BY position`,
      nowMs,
    );
    for (const { position, text } of rows) {
      if (position <= indexed) this.#removeFromIndex(position, Buffer.from(text).toString());
      this.#database.run('DELETE FROM history WHERE position = ?', position);
    }
    return rows.map(({ journal, sequence }) => messageId(journal, sequence));
  }

  /**
   * Everything but my texts that have not arrived yet: they are still to be delivered, and to be told of.
   * Returns how many were erased and how many are kept.
   */
  erase(): { erased: number; kept: number } {
    const erased = this.#database.run('DELETE FROM history WHERE mine = 0 OR delivered = 1');
    this.#database.exec(`INSERT INTO words (words) VALUES ('delete-all')`);
    const kept = this.#database.all<{ position: number; text: ArrayBuffer }>('SELECT position, text FROM history');
    for (const { position, text } of kept) this.#index(position, Buffer.from(text).toString());
    return { erased, kept: kept.length };
  }

  #add(mine: 0 | 1, journalId: string, sequence: number, atMs: number, text: string, lifetimeMs: number): void {
    const lives = lifetimeMs > 0 ? lifetimeMs : null;
    // Mine not before it is delivered.
    const vanishAtMs = lives !== null && mine === 0 ? Date.now() + lives : null;
    this.#database.run(
      `INSERT INTO history (mine, journal, sequence, at_ms, text, delivered, read, shown, lifetime_ms, vanish_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?) ON CONFLICT DO NOTHING`,
      mine,
      journalId,
      sequence,
      atMs,
      Buffer.from(text),
      1 - mine,
      mine,
      lives,
      vanishAtMs,
    );
  }

  /** All before it are in the index too. */
  #lastIndexed(): number {
    return this.#database.get<{ last: number | null }>('SELECT max(id) AS last FROM words_docsize')?.last ?? 0;
  }

  #index(position: number, text: string): void {
    this.#database.run('INSERT INTO words (rowid, spaced) VALUES (?, ?)', position, wordsOf(text).join(' '));
  }

  #removeFromIndex(position: number, text: string): void {
    const spaced = wordsOf(text).join(' ');
    this.#database.run(`INSERT INTO words (words, rowid, spaced) VALUES ('delete', ?, ?)`, position, spaced);
  }

  #markRead(mine: 0 | 1, journalId: string, sequence: number): boolean {
    const changed = this.#database.run(
      'UPDATE history SET read = 1 WHERE mine = ? AND journal = ? AND sequence = ? AND read = 0',
      mine,
      journalId,
      sequence,
    );
    return changed > 0;
  }

  #lines(sql: string, ...values: (string | number)[]): HistoryLine[] {
    return this.#database.all<MessageRow>(sql, ...values).map(toLine);
  }
}

export function toLine(row: MessageRow): HistoryLine {
  return {
    id: messageId(row.journal, row.sequence),
    from: row.mine ? 'me' : 'peer',
    text: Buffer.from(row.text).toString(),
    at: new Date(Math.min(row.at_ms, LAST_MS)).toISOString(),
    state: stateOf(row),
  };
}

function stateOf(row: MessageRow): HistoryLine['state'] {
  if (!row.mine) return 'received';
  if (row.read) return 'read';
  return row.delivered ? 'delivered' : 'sent';
}

/** SQLite takes a negative limit for none. */
function rowLimit(count: number): number {
  return Math.max(0, Math.trunc(count));
}
