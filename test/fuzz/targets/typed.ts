import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Home } from '../../../src/peer/home.js';
import { Database } from '../../../src/peer/session/journal/database.js';
import { wordQuery, wordsOf } from '../../../src/peer/session/journal/words.js';
import { toCells } from '../../../src/peer/ui/cells.js';
import { parseCommand } from '../../../src/peer/ui/commands.js';
import { parseJsonCommand } from '../../../src/peer/ui/json-commands.js';
import { LineSplitter } from '../../../src/peer/ui/line-splitter.js';
import { jsonLine } from '../../../src/peer/ui/output.js';
import { quoteWord, splitWords } from '../../../src/peer/ui/shell-words.js';
import { UserError } from '../../../src/protocol/errors.js';
import { sanitise, sanitiseLine } from '../../../src/protocol/sanitise.js';
import { ensure, orRefused, type Target } from '../target.js';

/** What people and programs type, and what is shown to them. */

const texts = (...all: string[]) => all.map((text) => Buffer.from(text));

const jsonCommands: Target = {
  name: 'json-commands',
  seeds: () =>
    texts(
      '{"command":"message","text":"a","ref":"b"}\n',
      '{"command":"send","paths":["/a","b"]}\r\n{"command":"quit"}',
      '{"command":"accept","transfer":"ab","into":"x"}\n{"command":"read","id":"c"}\n',
      '{"command":{"a":[]},"text":"\\ud800"}\n{"command":"status"}\n',
    ),
  maxBytes: 4096,
  maxMs: 250,
  run: (input) => {
    const splitter = new LineSplitter();
    const cut = (input[0] ?? 0) % (input.length + 1);
    const lines = [...splitter.feed(input.subarray(0, cut)), ...splitter.feed(input.subarray(cut)), ...splitter.end()];
    for (const line of lines) if (line.kind === 'text') orRefused(() => parseJsonCommand(line.text), UserError);
  },
};

const slashCommands: Target = {
  name: 'slash-commands',
  seeds: () => texts('/send "a b" ~/c \\\'d', '/accept 1 "My Files"', '/cancle 3', '//x', '/search ☃', "/send 'a"),
  maxBytes: 1024,
  maxMs: 250,
  run: (input) => {
    const text = input.toString('utf8');
    parseCommand(text, '/home/x');
    for (const word of splitWords(text, '/home/x')) {
      ensure(word.start < word.end && word.end <= text.length, 'a word lies in its line');
      if (word.value.includes('\n') || word.fromHome) continue;
      for (const quote of [undefined, '"', "'"] as const) {
        const [again, ...more] = splitWords(quoteWord(word.value, quote), '/home/x');
        ensure((again?.value ?? '') === word.value && more.length === 0, `quoting keeps ${JSON.stringify(word.value)}`);
      }
    }
  },
};

const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

const shown: Target = {
  name: 'shown',
  seeds: () => texts('\u001b]0;evil\u0007\u009b31m\u202e\r\b\0x\t\n', 'e\u0301👩‍👩‍👧🇩🇪漢', '\r\n\u2028'),
  maxBytes: 4096,
  maxMs: 500,
  run: (input) => {
    for (const encoding of ['utf8', 'latin1', 'utf16le'] as const) {
      const text = input.toString(encoding);
      const safe = sanitise(text);
      ensure(!OBEYED.test(safe), 'nothing that a terminal obeys is left');
      ensure(sanitise(safe) === safe, 'what is safe stays');
      const line = sanitiseLine(text);
      ensure(!line.includes('\n') && !OBEYED.test(line), 'a line is one');
      ensure(
        toCells(line).every(({ text, width }) => text !== '' && width > 0),
        'every cell is seen',
      );
      const json = jsonLine({ text });
      ensure(!OBEYED.test(json) && !json.includes('\n'), 'JSON is one line that no terminal obeys');
      ensure(JSON.parse(json).text === text, 'and means what it meant');
    }
  },
};

/** Anything may be searched for: the index's own query language must not come through. */
function words(): Target {
  const database = new Database({ path: ':memory:', directory: 'memory' });
  database.exec(`CREATE VIRTUAL TABLE words USING fts5 (spaced, content = '', tokenize = 'ascii')`);
  let row = 0;
  return {
    name: 'words',
    seeds: () =>
      texts('grüße "OR" NEAR(a b) *', '漢字かな交じり', "'; DROP TABLE words; --", 'a\u0301\u0316', '-x:y^z'),
    maxBytes: 1024,
    maxMs: 500,
    run: (input) => {
      const text = input.toString('utf8');
      const query = wordQuery(text);
      row += 1;
      database.run('INSERT INTO words (rowid, spaced) VALUES (?, ?)', row, wordsOf(text).join(' '));
      if (query !== null) {
        const found = database.all<{ rowid: number }>(
          'SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT 1',
          query,
        );
        ensure(found[0]?.rowid === row, `a text is found by itself: ${JSON.stringify(text)}`);
      }
      if (row % 1_000 === 0) database.exec(`INSERT INTO words (words) VALUES ('delete-all')`);
    },
    close: () => database.close(),
  };
}

/** The settings, which hold contacts and pinned mediators: whatever stands in the file, a sentence says what is wrong. */
function settings(): Target {
  const folder = mkdtempSync(join(tmpdir(), 'turbo-beep-fuzz-'));
  const id = 'a'.repeat(64);
  const contact = {
    contactId: 'b'.repeat(16),
    name: 'bob',
    host: 'h',
    port: 1,
    keys: '/k',
    peerPem: 'p',
    peerId: id,
    ownId: id,
  };
  const whole = { contacts: [{ ...contact, verified: false, blocked: false }], mediators: { 'h:1': id } };
  return {
    name: 'settings',
    seeds: () =>
      texts(
        JSON.stringify(whole),
        JSON.stringify(whole, null, '\t'),
        '{}',
        '[]',
        'null',
        '{"contacts":[],"x":{"__proto__":1}}',
      ),
    maxBytes: 4096,
    maxMs: 1_000,
    run: async (input) => {
      writeFileSync(join(folder, 'settings.json'), input);
      const home = await Home.open(folder).catch(refused);
      if (!home) return;
      for (const { contactId, port, peerId } of orRefused(() => home.contacts.list(), UserError) ?? []) {
        ensure(/^[0-9a-f]{16}$/.test(contactId), 'a contact’s id can be a folder’s name');
        ensure(/^[0-9a-f]{64}$/.test(peerId) && port > 0 && port < 65_536, 'a contact is whole');
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function refused(error: unknown): null {
  if (error instanceof UserError) return null;
  throw error;
}

export const TYPED_TARGETS: Target[] = [jsonCommands, slashCommands, shown, words(), settings()];
