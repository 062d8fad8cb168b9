import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { TEMP_PREFIX } from '../../src/peer/files/local-name.js';
import { loadDataKey } from '../../src/peer/session/journal/data-key.js';
import { Database } from '../../src/peer/session/journal/database.js';
import { Journal } from '../../src/peer/session/journal/journal.js';
import { survey } from '../peer/files/helpers/tree.js';
import type { Pair } from '../support/pair.js';
import type { Person } from './person.js';

/** What may lie in a journal's folder when nobody has it open. */
const JOURNAL_FILES = ['journal.db', 'journal.db-shm', 'journal.db-wal', 'journal.key', 'session.lock'];

interface Held {
  mine: { id: string; text: string; state: string }[];
  theirs: { id: string; text: string }[];
}

/** Compares what `writer` said and sent with what both journals and the reader's disk hold. Both programs have ended. */
export function inspect(pair: Pair, writer: Person, reader: Person, finding: (what: string) => void): void {
  const found = (what: string) => finding(`${writer.name} to ${reader.name}: ${what}`);
  const written = open(pair, writer);
  const read = open(pair, reader);
  try {
    compareTexts(writer, reader, textsOf(written), textsOf(read), found);
    compareTransfers(writer, reader, written, read, found);
  } finally {
    written.close();
    read.close();
  }
  checkDatabase(pair, writer, found);
}

function compareTexts(writer: Person, reader: Person, written: Held, read: Held, found: (what: string) => void): void {
  const said = writer.said.map(({ text }) => text);
  const texts = (lines: { text: string }[]) => lines.map(({ text }) => text);
  const ids = (lines: { id: string }[]) => lines.map(({ id }) => id);
  if (!isDeepStrictEqual(texts(written.mine), said))
    found(`my history differs at ${firstDifference(said, texts(written.mine))}`);
  if (!isDeepStrictEqual(texts(read.theirs), said))
    found(`the other's history differs at ${firstDifference(said, texts(read.theirs))}`);
  if (!isDeepStrictEqual(ids(read.theirs), ids(written.mine))) found('ids differ');
  const heard = [...reader.heard.values()];
  if (!isDeepStrictEqual(heard, said)) found(`what was shown differs at ${firstDifference(said, heard)}`);
  const confirmed = writer.said.map(({ ref }) => writer.confirmed.get(ref));
  if (!isDeepStrictEqual(confirmed, ids(written.mine))) found('what was confirmed as sent is not what was sent');
  const there = new Set(ids(read.theirs));
  for (const id of writer.delivered) if (!there.has(id)) found(`${id} was called delivered and is not there`);
  const underway = written.mine.filter(({ state }) => state === 'sent');
  if (underway.length > 0) found(`${underway.length} messages are never known to be delivered`);
}

function compareTransfers(
  writer: Person,
  reader: Person,
  written: Journal,
  read: Journal,
  found: (what: string) => void,
): void {
  for (const shipment of writer.shipments) {
    const transfer = writer.offered.get(shipment.ref);
    if (transfer === undefined) {
      found(`${shipment.ref} was never offered`);
      continue;
    }
    const ends = [written, read].map((journal) => journal.transfers.find(transfer)?.outcome ?? 'unfinished');
    const calledOff = writer.calledOff(transfer) || reader.calledOff(transfer);
    if (!calledOff && ends.some((end) => end !== 'transferred'))
      found(`${shipment.ref} ended as ${ends.join(' and ')}`);
    if (ends.includes('unfinished')) found(`${shipment.ref} has no end: ${ends.join(' and ')}`);
    const folder = reader.folderOf(transfer);
    const there = readdirSync(reader.into).includes(transfer) ? survey(folder) : null;
    if (ends[1] === 'transferred' && !shipment.landed && !isDeepStrictEqual(there, shipment.tree)) {
      found(`${shipment.ref} is in place wrongly`);
    }
    for (const [name, sha256] of Object.entries(there ?? {})) {
      if (name.includes(TEMP_PREFIX)) found(`${shipment.ref} has left ${name}`);
      else if (shipment.tree[name] !== sha256) found(`${shipment.ref} has put ${name} in place wrongly`);
    }
  }
}

function textsOf(journal: Journal): Held {
  const lines = journal.history(Number.MAX_SAFE_INTEGER);
  return { mine: lines.filter(({ from }) => from === 'me'), theirs: lines.filter(({ from }) => from === 'peer') };
}

/** By the product's own code, as the next start of the program would. */
function open(pair: Pair, { name }: Person): Journal {
  return Journal.open({ directory: journalFolder(pair, name), privateKey: pair.identity(name).privateKey });
}

function checkDatabase(pair: Pair, { name }: Person, found: (what: string) => void): void {
  const directory = journalFolder(pair, name);
  const { privateKey } = pair.identity(name);
  const key = loadDataKey(join(directory, 'journal.key'), directory, privateKey, false);
  const database = new Database({ path: join(directory, 'journal.db'), directory, key });
  const sound = database.get<{ integrity_check: string }>('PRAGMA integrity_check')?.integrity_check;
  if (sound !== 'ok') found(`the database is not sound: ${sound}`);
  database.close();
  const strange = readdirSync(directory).filter((file) => !JOURNAL_FILES.includes(file));
  if (strange.length > 0) found(`left in the journal's folder: ${strange}`);
  const others = readdirSync(pair.path(name, 'home')).filter((file) => !['contacts', 'settings.json'].includes(file));
  if (others.length > 0) found(`left in the home: ${others}`);
}

function journalFolder(pair: Pair, name: string): string {
  const [contact = '', ...more] = readdirSync(pair.path(name, 'home', 'contacts'));
  if (more.length > 0) throw new Error(`${name} has become more than one contact`);
  return pair.path(name, 'home', 'contacts', contact);
}

function firstDifference(wanted: string[], found: string[]): string {
  const at = wanted.findIndex((text, index) => found[index] !== text);
  if (at === -1) return `${found.length - wanted.length} too many`;
  return `${at} of ${wanted.length}: ${String(found[at]).slice(0, 40)} for ${wanted[at]?.slice(0, 40)}`;
}
