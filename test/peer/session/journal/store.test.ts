import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Journal } from '../../../../src/peer/session/journal/journal.js';
import { changeStoreKey } from '../../../../src/peer/session/journal/store.js';
import { UserError } from '../../../../src/protocol/errors.js';
import { newRsaKey } from '../../../support/keys.js';
import { closeJournal, newFolder, openJournal, privateKey, write } from './fixture.js';

const newKey = newRsaKey();

describe('a journal put under a new key', () => {
  it('opens with that key alone, with all that was written', () => {
    const directory = newFolder();
    const before = openJournal(directory);
    write(before, 'hello');
    closeJournal(before);

    expect(changeStoreKey({ directory, privateKey: newKey, formerKeys: [privateKey] })).toBe(true);

    expect(() => Journal.open({ directory, privateKey })).toThrow(UserError);
    const after = Journal.open({ directory, privateKey: newKey });
    expect(after.history(1).map(({ text }) => text)).toEqual(['hello']);
    after.close();
  });

  it('stays as it is while it is open elsewhere', () => {
    const directory = newFolder();
    closeJournal(openJournal(directory));
    const open = openJournal(directory);
    expect(() => changeStoreKey({ directory, privateKey: newKey, formerKeys: [privateKey] })).toThrow(UserError);
    closeJournal(open);
    closeJournal(openJournal(directory));
  });

  it('is not made where there was none', () => {
    const directory = newFolder();
    expect(changeStoreKey({ directory, privateKey: newKey })).toBe(false);
    expect(readdirSync(directory)).toEqual([]);
  });
});
