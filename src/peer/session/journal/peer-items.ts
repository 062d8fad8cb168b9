import { ProtocolError } from '../../../protocol/errors.js';
import type { Item } from '../../../protocol/messages.js';
import type { Database } from './database.js';
import type { History } from './history.js';

/**
 * The high-water marks that are kept, of the journals named last. A peer begins a new journal only when it was restored
 * from a backup, so this is more than a life's worth; the bound is against one who means ill.
 */
const MAX_PEER_JOURNALS = 1024;

interface PeerMark {
  journalId: string;
  /** All items up to this one are here. */
  sequence: number;
}

/** How far each of the peer's journals is on this disk. */
export class PeerItems {
  readonly #database: Database;
  readonly #history: History;
  /** As it is on the disk, while that is known: reading it again would take as long as a small write. */
  #mark: PeerMark | null = null;

  constructor(database: Database, history: History) {
    this.#database = database;
    this.#history = history;
  }

  /** Of the journal that the peer named last; '' and 0 before it named any. */
  mark(): PeerMark {
    this.#mark ??= this.#readMark();
    return this.#mark;
  }

  /** Something may have been undone. */
  forget(): void {
    this.#mark = null;
  }

  #readMark(): PeerMark {
    const row = this.#database.get<{ id: string; held: number }>(
      'SELECT id, held FROM peer_journals ORDER BY turn DESC LIMIT 1',
    );
    return row ? { journalId: row.id, sequence: row.held } : { journalId: '', sequence: 0 };
  }

  /**
   * The peer's items come from `journalId` now, beginning with `firstSequence`. If those before it never came here, this
   * side has lost data, and the peer cannot send them again: they are passed over.
   */
  follow(journalId: string, firstSequence: number): void {
    this.#database.run(
      `INSERT INTO peer_journals (id, held, turn)
       VALUES (?, ?, (SELECT coalesce(max(turn), 0) + 1 FROM peer_journals))
       ON CONFLICT (id) DO UPDATE SET held = max(held, excluded.held), turn = excluded.turn`,
      journalId,
      firstSequence - 1,
    );
    this.#database.run(
      'DELETE FROM peer_journals WHERE turn <= (SELECT max(turn) FROM peer_journals) - ?',
      MAX_PEER_JOURNALS,
    );
    this.forget();
  }

  /** False if the item was here already. Throws a ProtocolError if one before it is missing. */
  receive(item: Item): boolean {
    const { journalId, sequence } = this.mark();
    if (journalId === '') throw new ProtocolError('an item came before the peer named its journal');
    if (item.sequence <= sequence) return false;
    if (item.sequence !== sequence + 1) {
      throw new ProtocolError(`item ${item.sequence} came where ${sequence + 1} was due`);
    }
    this.#database.run('UPDATE peer_journals SET held = ? WHERE id = ?', item.sequence, journalId);
    this.#mark = { journalId, sequence: item.sequence };
    const { body } = item;
    if (body.kind === 'text') {
      this.#history.addPeers(journalId, item.sequence, item.atMs, body.text, body.lifetimeMs);
    }
    return true;
  }
}
