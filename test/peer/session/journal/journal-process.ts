import { createPrivateKey } from 'node:crypto';
import { mkdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../../../../src/peer/session/journal/journal.js';
import { UserError } from '../../../../src/protocol/errors.js';

// A process with a journal, for tests that kill it: journal-process MODE FOLDER KEY. A line on stdout says what is done.
const [, , mode, folder = '', keyFile = ''] = process.argv;
const privateKey = createPrivateKey(readFileSync(keyFile));

function say(line: string | number): void {
  writeSync(1, `${line}\n`);
}

function text(words: string) {
  return { kind: 'text', text: words } as const;
}

/** Opens and waits to be killed. */
function hold(): void {
  Journal.open({ directory: folder, privateKey });
  say('open');
  setInterval(() => {}, 60_000);
}

/** Makes journal after journal, each in a folder of its own. */
function create(): void {
  for (let count = 1; ; count++) {
    const directory = join(folder, String(count));
    mkdirSync(directory, { mode: 0o700 });
    const journal = Journal.open({ directory, privateKey });
    journal.append(text(String(count)), 0);
    journal.close();
    say(count);
  }
}

/** Appends to one journal, and notes the count in the same transaction. */
function append(): void {
  const journal = Journal.open({ directory: folder, privateKey });
  for (;;) {
    const sequence = journal.transaction(() => {
      const { item } = journal.append(text(`text ${journal.lastSequence() + 1}`), 0);
      journal.transfers.save({
        transfer: 'ab'.repeat(16),
        direction: 'send',
        state: 'accepted',
        outcome: null,
        into: null,
        sources: [],
        ref: null,
        bytes: 0,
        entries: 0,
        progress: String(item.sequence),
        announced: true,
      });
      return item.sequence;
    });
    say(sequence);
  }
}

try {
  if (mode === 'hold') hold();
  else if (mode === 'create') create();
  else append();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}
