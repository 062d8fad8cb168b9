import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from '../../../../src/peer/session/journal/database.js';
import { History } from '../../../../src/peer/session/journal/history.js';
import { Past } from '../../../../src/peer/session/journal/past.js';
import { beginOwnJournal, FORMS, prepareSchema } from '../../../../src/peer/session/journal/schema.js';
import { TransferRecords } from '../../../../src/peer/session/journal/transfer-records.js';
import { newFolder } from './fixture.js';

test('a journal of the first form is brought up to date with all that it holds', () => {
  const directory = newFolder();
  const database = new Database({ path: join(directory, 'journal.db'), directory });
  database.exec(FORMS[0] ?? '');
  database.exec('PRAGMA user_version = 1');
  const id = beginOwnJournal(database);
  database.run(
    `INSERT INTO history (mine, journal, sequence, at_ms, text, delivered, read, shown) VALUES (1, ?, 1, 5, ?, 1, 0, 1)`,
    id,
    Buffer.from('from before'),
  );
  database.run(`INSERT INTO words (rowid, spaced) VALUES (1, 'from before')`);
  database.run(
    `INSERT INTO transfers (id, finished, record) VALUES ('x', 1, '{"state":"finished","outcome":"transferred"}')`,
  );

  for (const _ of ['once', 'twice']) prepareSchema(database, directory);

  const history = new History(database);
  expect(history.search('before', 5).map(({ text }) => text)).toEqual(['from before']);
  expect([...new Past(database, history, new TransferRecords(database)).all()]).toHaveLength(1);
  expect(database.get('PRAGMA user_version')).toMatchObject({ user_version: FORMS.length });
  database.close();
});
