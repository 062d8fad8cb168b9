import type { HistoryLine } from '../conversation.js';
import type { Database } from './database.js';
import { type History, MESSAGE_COLUMNS, type MessageRow, toLine } from './history.js';
import type { TransferRecord, TransferRecords } from './transfer-records.js';
import { hasWords, wordQuery } from './words.js';

export type PastEntry = ({ kind: 'message' } & HistoryLine) | PastTransfer;

export interface PastTransfer {
  kind: 'transfer';
  id: string;
  /** Who sent the files. */
  from: 'me' | 'peer';
  /** ISO 8601, this machine's clock; null: begun by a version that did not note it. */
  at: string | null;
  /** What lies at its top, the first 20; folders end in '/'. The sender's names: not sanitised, not local. */
  names: string[];
  /** Files and folders in all. */
  entries: number;
  bytes: number;
  /** Where they were received. */
  into: string | null;
  state: 'offered' | 'accepted' | 'transferred' | 'declined' | 'cancelled';
}

interface PositionedRow extends MessageRow {
  position: number;
}

interface TransferRow {
  id: string;
  record: string;
  at_ms: number;
  after_position: number;
  names: string;
}

interface PositionedTransfer extends PastTransfer {
  afterPosition: number;
}

const PAGE = 500;

/** What was said and sent, in the order in which it was journalled here, page by page: there may be years of it. */
export class Past {
  readonly #database: Database;
  readonly #history: History;
  readonly #transfers: TransferRecords;

  constructor(database: Database, history: History, transfers: TransferRecords) {
    this.#database = database;
    this.#history = history;
    this.#transfers = transfers;
  }

  *all(): Generator<PastEntry> {
    const sql = `SELECT position, ${MESSAGE_COLUMNS} FROM history WHERE position > ? ORDER BY position LIMIT ${PAGE}`;
    yield* merge(this.#pages(sql), this.#pastTransfers());
  }

  /** Messages as `History.search` finds them, and transfers by the names of their files. */
  *search(typed: string): Generator<PastEntry> {
    const query = wordQuery(typed);
    if (query === null) return;
    this.#history.indexRest();
    const sql = `SELECT position, ${MESSAGE_COLUMNS} FROM words JOIN history ON history.position = words.rowid
      WHERE words MATCH ? AND words.rowid > ? ORDER BY words.rowid LIMIT ${PAGE}`;
    const transfers = this.#pastTransfers().filter(({ names }) => hasWords(names.join(' '), typed));
    yield* merge(this.#pages(sql, query), transfers);
  }

  *#pages(sql: string, ...values: string[]): Generator<PositionedRow> {
    for (let last = 0; ; ) {
      const rows = this.#database.all<PositionedRow>(sql, ...values, last);
      yield* rows;
      const end = rows.at(-1);
      if (!end || rows.length < PAGE) return;
      last = end.position;
    }
  }

  /** Those that are neither erased nor still being described by the peer. */
  #pastTransfers(): PositionedTransfer[] {
    return this.#database
      .all<TransferRow>(
        'SELECT id, record, at_ms, after_position, names FROM transfers ORDER BY after_position, number',
      )
      .map((row) => this.#toTransfer(row))
      .filter((transfer) => transfer !== null);
  }

  #toTransfer(row: TransferRow): PositionedTransfer | null {
    const record = this.#database.parse<TransferRecord>(row.record);
    const { direction, bytes, entries, into } = record;
    const state = stateOf(record);
    const stored = this.#database.parse<string[]>(row.names);
    const names = stored.length > 0 ? stored : this.#transfers.names(row.id);
    if (state === null || names.length === 0) return null;
    return {
      kind: 'transfer',
      id: row.id,
      from: direction === 'send' ? 'me' : 'peer',
      at: row.at_ms === 0 ? null : new Date(row.at_ms).toISOString(),
      names,
      entries,
      bytes,
      into,
      state,
      afterPosition: row.after_position,
    };
  }
}

function* merge(messages: Generator<PositionedRow>, transfers: PositionedTransfer[]): Generator<PastEntry> {
  const waiting = [...transfers];
  for (const row of messages) {
    while (waiting[0] && waiting[0].afterPosition < row.position) yield* takeFirst(waiting);
    yield { kind: 'message', ...toLine(row) };
  }
  while (waiting.length > 0) yield* takeFirst(waiting);
}

function* takeFirst(waiting: PositionedTransfer[]): Generator<PastTransfer> {
  const first = waiting.shift();
  if (!first) return;
  const { afterPosition: _, ...transfer } = first;
  yield transfer;
}

function stateOf({ state, outcome }: TransferRecord): PastTransfer['state'] | null {
  if (state === 'incoming') return null;
  return state === 'offered' || state === 'accepted' ? state : outcome;
}
