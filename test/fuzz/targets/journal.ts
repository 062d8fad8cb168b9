import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReceiptJournal } from '../../../src/peer/files/receipt-journal.js';
import { Journal } from '../../../src/peer/session/journal/journal.js';
import { ProtocolError, UserError } from '../../../src/protocol/errors.js';
import { quickFolder } from '../folder.js';
import { ITEM_BODIES, TRANSFER } from '../samples.js';
import { orRefused, Reader, type Target } from '../target.js';

/** A journal's folder with damaged files in it: a sentence says so, or it goes on. */

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEER_JOURNAL = 'cd'.repeat(16);
const HELD = { peerJournalId: '', peerSequence: 0, journalId: PEER_JOURNAL, firstSequence: 1 };

/** An input is a list of changes to the files of a good journal: which file, where, how many bytes, XOR what. */
function journal(): Target {
  const folder = quickFolder();
  const good = join(folder, 'good');
  const damaged = join(folder, 'damaged');
  let files: { name: string; bytes: Buffer }[] = [];
  return {
    name: 'journal',
    seeds: () => {
      mkdirSync(good, { recursive: true });
      fill(good);
      files = ['journal.db', 'journal.db-wal'].map((name) => ({ name, bytes: readFileSync(join(good, name)) }));
      return [Buffer.alloc(0), Buffer.from([0, 0, 100, 0, 1, 255]), Buffer.from([1, 0, 200, 0, 16, 1])];
    },
    maxBytes: 60,
    maxMs: 3_000,
    run: (input) => {
      rmSync(damaged, { recursive: true, force: true });
      mkdirSync(damaged);
      cpSync(join(good, 'journal.key'), join(damaged, 'journal.key'));
      for (const [index, { name, bytes }] of files.entries())
        writeFileSync(join(damaged, name), change(bytes, index, input));
      orRefused(() => use(damaged), UserError, ProtocolError);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function change(bytes: Buffer, index: number, input: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  for (const reader = new Reader(input); !reader.done; ) {
    const which = reader.byte() & 1;
    const at = reader.byte() * 65_536 + reader.byte() * 256 + reader.byte();
    const count = reader.byte();
    const mask = reader.byte();
    if (which !== index || changed.length === 0) continue;
    // Of those with a length of 0 the file is cut there.
    if (count === 0) return changed.subarray(0, at % changed.length);
    for (let offset = 0; offset < count; offset++) {
      const place = (at + offset) % changed.length;
      changed[place] = (changed[place] ?? 0) ^ mask;
    }
  }
  return changed;
}

function fill(directory: string): void {
  const journal = Journal.open({ directory, privateKey });
  journal.reconcile(HELD);
  for (const [at, body] of ITEM_BODIES.entries()) {
    journal.append(body, 1_700_000_000_000 + at, `ref ${at}`);
    journal.receive({ kind: 'item', sequence: at + 1, atMs: 1_700_000_000_000, body });
  }
  for (let at = 0; at < 40; at++) journal.append({ kind: 'text', text: `words ${at} `.repeat(20) }, at);
  journal.transfers.save({
    transfer: TRANSFER,
    direction: 'receive',
    state: 'offered',
    outcome: null,
    into: null,
    sources: [],
    ref: null,
    bytes: 3,
    entries: 2,
    progress: '',
    announced: true,
  });
  journal.transfers.addManifest(
    TRANSFER,
    ITEM_BODIES.flatMap((body) => (body.kind === 'manifestPart' ? body.entries : [])),
  );
  journal.memory.remember('peer', '{"tokens":[]}');
  // Closing would empty the write-ahead log, and what is damaged is to be found there too.
  const copy = `${directory}-copy`;
  cpSync(directory, copy, { recursive: true });
  journal.close();
  rmSync(directory, { recursive: true });
  cpSync(copy, directory, { recursive: true });
}

/** Everything that a session asks of its journal. */
function use(directory: string): void {
  const journal = Journal.open({ directory, privateKey });
  try {
    journal.history(100);
    journal.search('words', 10);
    journal.unshown();
    journal.outgoing(0, 100);
    journal.byRef('ref 1');
    for (const { transfer } of journal.transfers.unfinished()) journal.transfers.manifest(transfer);
    journal.transfers.manifestSize(TRANSFER);
    journal.memory.recall('peer');
    journal.reconcile({ ...HELD, peerJournalId: journal.id, peerSequence: 3 });
    journal.append({ kind: 'text', text: 'after the damage' }, 1);
    journal.acknowledge(journal.id, 4);
    const { sequence } = journal.peerAck();
    journal.receive({ kind: 'item', sequence: sequence + 1, atMs: 1, body: { kind: 'text', text: 'new' } });
    journal.outboxSize();
    journal.held();
  } finally {
    journal.close();
  }
}

/** How far a transfer has come, as it is kept in the journal. */
const receiptNotes: Target = {
  name: 'receipt-notes',
  seeds: () => {
    let kept = '';
    const save = (json: string) => {
      kept = json;
    };
    const notes = new ReceiptJournal({ load: () => '', save });
    const first = kept;
    notes.announce([{ entry: 0, name: 'a', sha256: '00'.repeat(32) }]);
    notes.placedFolder('b');
    return [Buffer.from(first), Buffer.from(kept)];
  },
  maxBytes: 1024,
  maxMs: 250,
  run: (input) => {
    orRefused(() => {
      const notes = new ReceiptJournal({ load: () => input.toString('utf8'), save: () => {} });
      notes.tempName(notes.next);
      notes.announce([{ entry: notes.next, name: 'x', sha256: '' }]);
      notes.placedFolder('y');
      notes.save();
    }, UserError);
  },
};

export const JOURNAL_TARGETS: Target[] = [journal(), receiptNotes];
