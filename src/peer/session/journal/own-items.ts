import { ExitCode, ProtocolError, UserError } from '../../../protocol/errors.js';
import type { Item, ItemBody } from '../../../protocol/messages.js';
import type { Database } from './database.js';
import { type History, messageId } from './history.js';
import { beginOwnJournal } from './schema.js';

/** Former journal ids of mine that are remembered, so that a peer who last saw one of them is not misread. */
const MAX_FORMER_IDS = 1024;

interface OwnJournal {
  number: number;
  id: string;
  sequence: number;
  told: number;
}

interface OutboxRow {
  sequence: number;
  at_ms: number;
  body: string;
}

interface RefRow {
  journal: string;
  sequence: number;
  at_ms: number;
  body: string | null;
  text: ArrayBuffer | null;
}

export interface Appended {
  item: Item;
  /** As the faces see it, `journal-sequence`. */
  id: string;
  /** False if its ref was known: then this is the first one. */
  fresh: boolean;
}

/**
 * My items, from their sequence number to the peer's acknowledgement.
 *
 * How a restored backup is known: with each journal goes the last sequence number that was ever *told*, that is, may
 * have left this machine. A peer that holds more got it from a later state of this journal than the one at hand. It is
 * the number last appended when the peers compared what they hold, and from then on, while this process lives, that of
 * each new item: nothing is sent otherwise. Items that were appended to a restored backup before the peers meet thus
 * lie above it, and are not taken for the lost ones that had the same numbers.
 */
export class OwnItems {
  readonly #database: Database;
  readonly #history: History;
  /** As they are on the disk, while that is known: reading them again would take as long as a small write. */
  #own: OwnJournal | null = null;
  #firstUnacknowledged: number | null = null;

  constructor(database: Database, history: History) {
    this.#database = database;
    this.#history = history;
  }

  /** Something may have been undone. */
  forget(): void {
    this.#own = null;
    this.#firstUnacknowledged = null;
  }

  current(): OwnJournal {
    this.#own ??= this.#readCurrent();
    return this.#own;
  }

  #readCurrent(): OwnJournal {
    const row = this.#database.get<OwnJournal>(
      'SELECT number, id, sequence, told FROM own_journals ORDER BY number DESC LIMIT 1',
    );
    if (!row) throw new Error('the journal has no id');
    return row;
  }

  /** `live`: the peers have compared what they hold since this process opened the journal. */
  append(body: ItemBody, atMs: number, ref: string | undefined, live: boolean): Appended {
    const known = ref === undefined ? null : this.byRef(ref);
    if (known?.item.body.kind === body.kind) return known;
    if (known) {
      throw new UserError(
        ExitCode.usage,
        'this ref was given to something else before',
        'Give each message and each offer a ref of its own.',
      );
    }
    const own = this.current();
    const sequence = own.sequence + 1;
    const told = live ? sequence : own.told;
    this.#database.run('UPDATE own_journals SET sequence = ?, told = ? WHERE number = ?', sequence, told, own.number);
    this.#own = { ...own, sequence, told };
    const json = JSON.stringify(body);
    this.#database.run('INSERT INTO outbox (sequence, at_ms, body) VALUES (?, ?, ?)', sequence, atMs, json);
    if (body.kind === 'text') this.#history.addMine(own.id, sequence, atMs, body.text, body.lifetimeMs);
    if (ref !== undefined) {
      this.#database.run(
        'INSERT INTO refs (ref, journal, sequence, at_ms, body) VALUES (?, ?, ?, ?, ?)',
        Buffer.from(ref),
        own.id,
        sequence,
        atMs,
        body.kind === 'text' ? null : json,
      );
    }
    return { item: { kind: 'item', sequence, atMs, body }, id: messageId(own.id, sequence), fresh: true };
  }

  /** The item that was appended with this ref, if there is one. */
  byRef(ref: string): Appended | null {
    const row = this.#database.get<RefRow>(
      `SELECT refs.journal, refs.sequence, refs.at_ms, refs.body, history.text FROM refs
       LEFT JOIN history ON mine = 1 AND history.journal = refs.journal AND history.sequence = refs.sequence
       WHERE ref = ?`,
      Buffer.from(ref),
    );
    if (!row) return null;
    const body: ItemBody =
      row.body === null
        ? { kind: 'text', text: Buffer.from(row.text ?? new ArrayBuffer(0)).toString() }
        : this.#database.parse<ItemBody>(row.body);
    return {
      item: { kind: 'item', sequence: row.sequence, atMs: row.at_ms, body },
      id: messageId(row.journal, row.sequence),
      fresh: false,
    };
  }

  outgoing(after: number, limit: number): Item[] {
    return this.#database
      .all<OutboxRow>(
        'SELECT sequence, at_ms, body FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?',
        after,
        Math.max(0, Math.trunc(limit)),
      )
      .map((row) => ({
        kind: 'item',
        sequence: row.sequence,
        atMs: row.at_ms,
        body: this.#database.parse<ItemBody>(row.body),
      }));
  }

  size(): number {
    return this.#database.get<{ size: number }>('SELECT count(*) AS size FROM outbox')?.size ?? 0;
  }

  firstUnacknowledged(): number {
    this.#firstUnacknowledged ??= this.#readFirstUnacknowledged();
    return this.#firstUnacknowledged;
  }

  #readFirstUnacknowledged(): number {
    const row = this.#database.get<{ first: number | null }>('SELECT min(sequence) AS first FROM outbox');
    return row?.first ?? this.current().sequence + 1;
  }

  /** The peer has all up to `sequence` on its disk; the ids of the texts that this delivers. */
  acknowledge(journalId: string, sequence: number): string[] {
    const own = this.current();
    if (journalId !== own.id) return [];
    if (sequence > own.sequence) {
      throw new ProtocolError(`item ${sequence} was acknowledged, and only ${own.sequence} are there`);
    }
    this.#database.run('DELETE FROM outbox WHERE sequence <= ?', sequence);
    this.#firstUnacknowledged = null;
    return this.#history.markDelivered(journalId, sequence);
  }

  /**
   * The peer says that it holds the items of `journalId` ('' if it knows none of mine) up to `sequence`. Returns the
   * ids of the texts that this delivers; a restored backup begins a new journal id with what remains.
   */
  reconcile(journalId: string, sequence: number): string[] {
    const own = this.current();
    let delivered: string[] = [];
    if (journalId === own.id) {
      delivered = this.acknowledge(own.id, Math.min(sequence, own.told));
      if (sequence > own.told) this.#beginNewJournal();
    } else if (journalId !== '' && !this.hasId(journalId)) {
      this.#beginNewJournal();
    }
    this.#database.run('UPDATE own_journals SET told = sequence WHERE number = ?', this.current().number);
    this.forget();
    return delivered;
  }

  /** Whether this is a journal id of mine, now or formerly. */
  hasId(journalId: string): boolean {
    return this.#database.get('SELECT 1 FROM own_journals WHERE id = ?', journalId) !== undefined;
  }

  #beginNewJournal(): void {
    const base = this.firstUnacknowledged() - 1;
    const from = this.current();
    const to = beginOwnJournal(this.#database);
    this.#database.run('UPDATE own_journals SET sequence = ? WHERE id = ?', from.sequence - base, to);
    this.#database.run('UPDATE own_journals SET sequence = ? WHERE number = ?', base, from.number);
    // Over negative numbers, so that no two items ever have the same one.
    this.#database.run('UPDATE outbox SET sequence = ? - sequence', base);
    this.#database.run('UPDATE outbox SET sequence = -sequence');
    this.#history.moveMine(from.id, base, to);
    this.#database.run(
      'UPDATE refs SET journal = ?, sequence = sequence - ? WHERE journal = ? AND sequence > ?',
      to,
      base,
      from.id,
      base,
    );
    this.#database.run('DELETE FROM own_journals WHERE number <= ?', from.number - MAX_FORMER_IDS);
    this.forget();
  }
}
