import type { ManifestEntry } from '../../../protocol/messages.js';
import type { Database } from './database.js';

export interface TransferRecord {
  transfer: string;
  direction: 'send' | 'receive';
  /** 'discarding': cancelled, and what had come of it may still be on the disk. */
  state: 'incoming' | 'offered' | 'accepted' | 'discarding' | 'finished';
  outcome: null | 'transferred' | 'declined' | 'cancelled';
  cancelledBy?: 'me' | 'peer';
  into: string | null;
  /** Absolute local paths, one per top-level name of the manifest. */
  sources: string[];
  ref: string | null;
  bytes: number;
  entries: number;
  /** JSON that belongs to files/. */
  progress: string;
  /** Whether a face was told of it. */
  announced: boolean;
}

export interface ManifestSize {
  entries: number;
  /** The entries' paths, in UTF-8: what the bound on a manifest counts. */
  bytes: number;
}

/** Of what lies at the top of a transfer, for the history. */
const MAX_NAMES = 20;
const NOTHING_KNOWN = { into: null, sources: [], ref: null, bytes: 0, entries: 0, progress: '', announced: true };
const EMPTY: ManifestSize = { entries: 0, bytes: 0 };

/** An entry as it is stored: the names of its fields, a hundred thousand times over, would double its size. */
type StoredEntry = [path: string, directory: boolean, size: number, mode: number, mtimeMs: number];

/** What is known of each transfer, and the manifests of those that are not finished. */
export class TransferRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds or replaces. A transfer that is finished loses its manifest. */
  save(record: TransferRecord): void {
    const finished = record.state === 'finished';
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO transfers (id, finished, record, at_ms, after_position)
         VALUES (?, ?, ?, ?, (SELECT coalesce(max(position), 0) FROM history))
         ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, record = excluded.record`,
        record.transfer,
        finished ? 1 : 0,
        JSON.stringify(record),
        Date.now(),
      );
      if (finished) this.#forgetManifest(record.transfer);
    });
  }

  /** The top-level names of a manifest, as many as a person would read; folders end in '/'. Only until it is finished. */
  names(transfer: string): string[] {
    const names = new Set<string>();
    const parts = this.#database.all<{ number: number }>(
      'SELECT number FROM manifest_parts WHERE transfer = ? ORDER BY number',
      transfer,
    );
    for (const { number } of parts) {
      const row = this.#database.get<{ entries: string }>(
        'SELECT entries FROM manifest_parts WHERE number = ?',
        number,
      );
      for (const [path, directory] of this.#database.parse<StoredEntry[]>(row?.entries ?? '[]')) {
        const [top = '', ...below] = path.split('/');
        names.add(below.length > 0 || directory ? `${top}/` : top);
        if (names.size === MAX_NAMES) return [...names];
      }
    }
    return [...names];
  }

  /** What was sent and how it went is forgotten, but not that it is over: late messages about it mean nothing. */
  eraseFinished(): void {
    const rows = this.#database.all<{ id: string; record: string }>(
      'SELECT id, record FROM transfers WHERE finished = 1',
    );
    for (const { id, record } of rows) {
      const { direction, state, outcome } = this.#database.parse<TransferRecord>(record);
      const rest: TransferRecord = { ...NOTHING_KNOWN, transfer: id, direction, state, outcome };
      this.#database.run(
        `UPDATE transfers SET record = ?, names = '[]', at_ms = 0 WHERE id = ?`,
        JSON.stringify(rest),
        id,
      );
    }
  }

  /** Once messages are gone from the history's end: the next ones take their positions, and come after all of these. */
  keepBeforeNextMessage(): void {
    const last = '(SELECT coalesce(max(position), 0) FROM history)';
    this.#database.run(`UPDATE transfers SET after_position = ${last} WHERE after_position > ${last}`);
  }

  /** Its names alone stay, for the history. */
  #forgetManifest(transfer: string): void {
    const names = this.names(transfer);
    if (names.length > 0) {
      this.#database.run('UPDATE transfers SET names = ? WHERE id = ?', JSON.stringify(names), transfer);
    }
    this.#database.run('DELETE FROM manifests WHERE transfer = ?', transfer);
  }

  find(transfer: string): TransferRecord | null {
    const row = this.#database.get<{ record: string }>('SELECT record FROM transfers WHERE id = ?', transfer);
    return row ? this.#database.parse<TransferRecord>(row.record) : null;
  }

  /** Oldest first. */
  unfinished(): TransferRecord[] {
    return this.#database
      .all<{ record: string }>('SELECT record FROM transfers WHERE finished = 0 ORDER BY number')
      .map((row) => this.#database.parse<TransferRecord>(row.record));
  }

  /** Appends a part. Late ones, of a finished transfer, are dropped: nothing would ever remove them. */
  addManifest(transfer: string, entries: ManifestEntry[]): void {
    this.#database.transaction(() => {
      if (this.find(transfer)?.state === 'finished') return;
      this.#database.run(
        `INSERT INTO manifests (transfer, entries, bytes) VALUES (?, ?, ?)
         ON CONFLICT (transfer) DO UPDATE SET entries = entries + excluded.entries, bytes = bytes + excluded.bytes`,
        transfer,
        entries.length,
        entries.reduce((sum, { path }) => sum + Buffer.byteLength(path), 0),
      );
      this.#database.run(
        'INSERT INTO manifest_parts (transfer, entries) VALUES (?, ?)',
        transfer,
        JSON.stringify(entries.map(toStored)),
      );
    });
  }

  manifest(transfer: string): ManifestEntry[] {
    return this.#database
      .all<{ entries: string }>('SELECT entries FROM manifest_parts WHERE transfer = ? ORDER BY number', transfer)
      .flatMap((row) => this.#database.parse<StoredEntry[]>(row.entries).map(fromStored));
  }

  manifestSize(transfer: string): ManifestSize {
    const row = this.#database.get<ManifestSize>('SELECT entries, bytes FROM manifests WHERE transfer = ?', transfer);
    return row ? { entries: row.entries, bytes: row.bytes } : EMPTY;
  }
}

function toStored({ path, directory, size, mode, mtimeMs }: ManifestEntry): StoredEntry {
  return [path, directory, size, mode, mtimeMs];
}

function fromStored([path, directory, size, mode, mtimeMs]: StoredEntry): ManifestEntry {
  return { path, directory, size, mode, mtimeMs };
}
