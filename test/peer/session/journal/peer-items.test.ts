import { describe, expect, it } from 'vitest';
import type { Journal } from '../../../../src/peer/session/journal/journal.js';
import { ProtocolError } from '../../../../src/protocol/errors.js';
import type { Item } from '../../../../src/protocol/messages.js';
import { closeJournal, newFolder, openJournal, receivedTexts, text } from './fixture.js';

const PEER = '0f'.repeat(16);

function follow(journal: Journal, journalId = PEER, firstSequence = 1): void {
  journal.reconcile({ peerJournalId: '', peerSequence: 0, journalId, firstSequence });
}

function item(sequence: number, words = `text ${sequence}`): Item {
  return { kind: 'item', sequence, atMs: 1_700_000_000_000, body: text(words) };
}

describe('receiving', () => {
  it('takes each item once and in order, and acknowledges the last', () => {
    const journal = openJournal();
    follow(journal);
    expect(journal.peerAck()).toEqual({ journalId: PEER, sequence: 0 });
    expect([item(1), item(2), item(2), item(1)].map((each) => journal.receive(each))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(journal.receive({ kind: 'item', sequence: 3, atMs: 0, body: { kind: 'done', transfer: 'ab' } })).toBe(true);
    expect(receivedTexts(journal)).toEqual(['text 1', 'text 2']);
    expect(journal.peerAck()).toEqual({ journalId: PEER, sequence: 3 });
    expect(journal.held()).toEqual({ peerJournalId: PEER, peerSequence: 3, journalId: journal.id, firstSequence: 1 });
  });

  it('refuses a gap, and any item before the peer named its journal', () => {
    const journal = openJournal();
    expect(journal.peerAck()).toEqual({ journalId: '', sequence: 0 });
    expect(() => journal.receive(item(1))).toThrow(ProtocolError);
    follow(journal);
    expect(() => journal.receive(item(2))).toThrow(ProtocolError);
    expect(journal.receive(item(1))).toBe(true);
  });

  it('undoes an item with the transaction in which the caller applied it', () => {
    const journal = openJournal();
    follow(journal);
    const fail = () =>
      journal.transaction(() => {
        journal.receive(item(1));
        throw new Error('not applied');
      });
    expect(fail).toThrow('not applied');
    expect(journal.peerAck().sequence).toBe(0);
    expect(receivedTexts(journal)).toEqual([]);
    expect(journal.receive(item(1))).toBe(true);
  });

  it('keeps a text unshown until it is marked, also over a restart', () => {
    const folder = newFolder();
    const journal = openJournal(folder);
    follow(journal);
    for (const sequence of [1, 2, 3]) journal.receive(item(sequence));
    journal.append(text('mine'), 0);
    expect(journal.unshown().map((line) => line.text)).toEqual(['text 1', 'text 2', 'text 3']);
    journal.markShown(`${PEER}-2`);
    for (const id of ['', 'x', `${PEER}-99`, `${journal.id}-1`]) journal.markShown(id);
    closeJournal(journal);
    expect(openJournal(folder).unshown()).toEqual([
      { id: `${PEER}-1`, from: 'peer', text: 'text 1', at: '2023-11-14T22:13:20.000Z', state: 'received' },
      { id: `${PEER}-3`, from: 'peer', text: 'text 3', at: '2023-11-14T22:13:20.000Z', state: 'received' },
    ]);
  });

  it('says once what to tell the peer when the person has read a text', () => {
    const journal = openJournal();
    follow(journal);
    journal.receive(item(1));
    journal.append(text('mine'), 0);
    expect(journal.markReadByMe(`${PEER}-1`)).toEqual({ journalId: PEER, sequence: 1 });
    for (const id of [`${PEER}-1`, `${PEER}-2`, `${journal.id}-1`, '', 'nonsense', `${PEER}-01`, `${PEER}-1 `]) {
      expect(journal.markReadByMe(id)).toBeNull();
    }
  });
});

describe('the marks of the peer’s journals', () => {
  it('pass over what the peer will not send again', () => {
    const journal = openJournal();
    follow(journal, PEER, 5);
    expect(journal.peerAck().sequence).toBe(4);
    expect(journal.receive(item(5))).toBe(true);
    follow(journal, PEER, 6);
    expect(journal.peerAck().sequence).toBe(5);
    follow(journal, PEER, 9);
    expect(journal.peerAck().sequence).toBe(8);
  });

  it('never go back, so that what was acknowledged and comes again is known', () => {
    const journal = openJournal();
    follow(journal);
    for (const sequence of [1, 2]) journal.receive(item(sequence));
    follow(journal, PEER, 1);
    expect(journal.receive(item(1))).toBe(false);
    expect(journal.peerAck().sequence).toBe(2);
  });

  it('are kept for a journal that the peer returns to', () => {
    const journal = openJournal();
    follow(journal);
    for (const sequence of [1, 2]) journal.receive(item(sequence));
    follow(journal, 'ee'.repeat(16));
    expect(journal.receive(item(1, 'of another journal'))).toBe(true);
    follow(journal);
    expect(journal.peerAck()).toEqual({ journalId: PEER, sequence: 2 });
  });

  it('are kept of the 1,024 journals named last; a text that is there is not doubled without them', () => {
    const journal = openJournal();
    follow(journal);
    journal.receive(item(1));
    const name = (index: number) => index.toString(16).padStart(32, '0');
    journal.transaction(() => {
      for (let index = 1; index <= 1023; index++) follow(journal, name(index), 3);
    });
    follow(journal);
    expect(journal.peerAck().sequence).toBe(1);
    journal.transaction(() => {
      for (let index = 1; index <= 1024; index++) follow(journal, name(index), 1);
    });
    follow(journal);
    expect(journal.peerAck().sequence).toBe(0);
    journal.receive(item(1));
    expect(receivedTexts(journal)).toEqual(['text 1']);
  });
});
