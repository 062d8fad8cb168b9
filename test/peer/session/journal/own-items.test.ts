import { describe, expect, it } from 'vitest';
import { ProtocolError, UserError } from '../../../../src/protocol/errors.js';
import type { Held, ItemBody } from '../../../../src/protocol/messages.js';
import {
  closeJournal,
  copyAsIs,
  deliverAll,
  meet,
  newFolder,
  openJournal,
  pendingTexts,
  receivedTexts,
  write,
} from './fixture.js';

const PEER = '0f'.repeat(16);

function peerHolds(peerJournalId: string, peerSequence: number): Held {
  return { peerJournalId, peerSequence, journalId: PEER, firstSequence: 1 };
}

describe('appending', () => {
  it('numbers items from 1 without gaps, and names them by journal and sequence', () => {
    const journal = openJournal();
    expect(journal.id).toMatch(/^[0-9a-f]{32}$/);
    expect([journal.lastSequence(), journal.firstUnacknowledged(), journal.outboxSize()]).toEqual([0, 1, 0]);
    const first = write(journal, 'one');
    const second = journal.append({ kind: 'accept', transfer: 'ab'.repeat(16) }, 5);
    expect(first).toEqual({
      item: { kind: 'item', sequence: 1, atMs: 1_700_000_000_000, body: { kind: 'text', text: 'one' } },
      id: `${journal.id}-1`,
      fresh: true,
    });
    expect(journal.outgoing(0, 10)).toEqual([first.item, second.item]);
    expect(journal.outgoing(1, 10)).toEqual([second.item]);
    expect(journal.outgoing(0, 1)).toEqual([first.item]);
    expect([journal.lastSequence(), journal.firstUnacknowledged(), journal.outboxSize()]).toEqual([2, 1, 2]);
  });

  it('gives each journal an id of its own and keeps it, with all items, over a restart', () => {
    const folder = newFolder();
    const journal = openJournal(folder);
    const { id } = journal;
    expect(id).not.toBe(openJournal().id);
    const bodies: ItemBody[] = [
      { kind: 'text', text: 'a NUL \0, a tab \t and a 🦜' },
      { kind: 'read', journalId: PEER, sequences: [1, 9] },
      {
        kind: 'manifestPart',
        transfer: 'ab'.repeat(16),
        entries: [{ path: 'a/ü', directory: false, size: Number.MAX_SAFE_INTEGER, mode: 0o644, mtimeMs: -1 }],
      },
      { kind: 'cancel', transfer: 'ab'.repeat(16), reason: '' },
    ];
    const items = bodies.map((body) => journal.append(body, 0).item);
    closeJournal(journal);
    const again = openJournal(folder);
    expect(again.id).toBe(id);
    expect(again.outgoing(0, 10)).toEqual(items);
    expect(again.history(1)[0]?.text).toBe('a NUL \0, a tab \t and a 🦜');
  });

  it('gives the first item again for a ref that was used before, even if acknowledged long ago', () => {
    const journal = openJournal();
    const text = write(journal, 'once', 'ref \0 1');
    const offer = journal.append({ kind: 'offer', transfer: 'cd'.repeat(16), entries: 1, bytes: 2 }, 7, 'r2');
    meet(journal, openJournal());
    journal.acknowledge(journal.id, 2);
    expect(write(journal, 'not looked at', 'ref \0 1')).toEqual({ ...text, fresh: false });
    expect(journal.append({ kind: 'offer', transfer: 'ef'.repeat(16), entries: 9, bytes: 9 }, 8, 'r2')).toEqual({
      ...offer,
      fresh: false,
    });
    expect(journal.byRef('r2')).toEqual({ ...offer, fresh: false });
    expect(journal.byRef('r3')).toBeNull();
    expect(journal.lastSequence()).toBe(2);
    expect(write(journal, 'another', 'ref \0 2').fresh).toBe(true);
  });

  it('refuses a ref that was given to something of another kind', () => {
    const journal = openJournal();
    journal.append({ kind: 'offer', transfer: 'cd'.repeat(16), entries: 1, bytes: 2 }, 7, 'r');
    expect(() => write(journal, 'a text', 'r')).toThrow(UserError);
    expect(journal.lastSequence()).toBe(1);
  });
});

describe('acknowledging', () => {
  it('drops items cumulatively and returns the ids of texts that are newly delivered', () => {
    const journal = openJournal();
    meet(journal, openJournal());
    for (const words of ['1', '2']) write(journal, words);
    journal.append({ kind: 'done', transfer: 'ab'.repeat(16) }, 0);
    write(journal, '4');
    expect(journal.acknowledge(journal.id, 3)).toEqual([`${journal.id}-1`, `${journal.id}-2`]);
    expect(journal.acknowledge(journal.id, 3)).toEqual([]);
    expect(journal.acknowledge(journal.id, 1)).toEqual([]);
    expect(journal.firstUnacknowledged()).toBe(4);
    expect(journal.history(9).map(({ state }) => state)).toEqual(['delivered', 'delivered', 'sent']);
    expect(journal.acknowledge(journal.id, 4)).toEqual([`${journal.id}-4`]);
    expect([journal.outboxSize(), journal.firstUnacknowledged()]).toEqual([0, 5]);
  });

  it('ignores another journal, and refuses a sequence that was never given', () => {
    const journal = openJournal();
    write(journal, '1');
    expect(journal.acknowledge(PEER, 1)).toEqual([]);
    expect(journal.acknowledge(PEER, 100)).toEqual([]);
    expect(() => journal.acknowledge(journal.id, 2)).toThrow(ProtocolError);
    expect(journal.outboxSize()).toBe(1);
  });

  it('tells of a delivery also where the receipt for reading came first', () => {
    const journal = openJournal();
    const { id } = write(journal, '1');
    expect(journal.markReadByPeer(journal.id, [1])).toEqual([id]);
    expect(journal.acknowledge(journal.id, 1)).toEqual([id]);
    expect(journal.history(1)[0]?.state).toBe('read');
  });
});

describe('receipts for reading', () => {
  it('return newly read texts of mine, and ignore all else', () => {
    const [mine, peers] = [openJournal(), openJournal()];
    meet(mine, peers);
    write(mine, '1');
    mine.append({ kind: 'accept', transfer: 'ab'.repeat(16) }, 0);
    write(peers, 'theirs');
    deliverAll(peers, mine);
    expect(mine.markReadByPeer(mine.id, [0, 1, 1, 2, 3, Number.MAX_SAFE_INTEGER])).toEqual([`${mine.id}-1`]);
    expect(mine.markReadByPeer(mine.id, [1])).toEqual([]);
    expect(mine.markReadByPeer(peers.id, [1])).toEqual([]);
    expect(mine.markReadByPeer(PEER, [1])).toEqual([]);
  });
});

describe('a journal whose peer tells what it holds', () => {
  it('drops what the peer holds already', () => {
    const [a, b] = [openJournal(), openJournal()];
    meet(a, b);
    for (const words of ['1', '2', '3']) write(a, words);
    for (const item of a.outgoing(0, 2)) b.receive(item);
    expect(meet(a, b).a).toEqual([`${a.id}-1`, `${a.id}-2`]);
    expect(pendingTexts(a)).toEqual(['3']);
  });

  it('begins a new id if it is a restored backup, and moves all that is unsent to it', () => {
    const folder = newFolder();
    const [a, b] = [openJournal(folder), openJournal()];
    meet(a, b);
    write(a, 'one');
    write(a, 'two', 'ref 2');
    deliverAll(a, b);
    write(a, 'three', 'ref 3');
    const backup = copyAsIs(folder);
    write(a, 'four');
    deliverAll(a, b);
    closeJournal(a);

    const restored = openJournal(backup);
    const former = restored.id;
    write(restored, 'five', 'ref 5');
    write(restored, 'six');
    expect(meet(restored, b).a).toEqual([`${former}-3`]);
    expect(restored.id).not.toBe(former);
    expect(restored.outgoing(0, 9).map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect(restored.lastSequence()).toBe(2);
    expect(restored.history(9).map(({ id, text, state }) => [id, text, state])).toEqual([
      [`${former}-1`, 'one', 'delivered'],
      [`${former}-2`, 'two', 'delivered'],
      [`${former}-3`, 'three', 'delivered'],
      [`${restored.id}-1`, 'five', 'sent'],
      [`${restored.id}-2`, 'six', 'sent'],
    ]);
    expect(write(restored, '', 'ref 3').id).toBe(`${former}-3`);
    expect(write(restored, '', 'ref 5')).toMatchObject({ id: `${restored.id}-1`, item: { sequence: 1 }, fresh: false });
    deliverAll(restored, b);
    expect(receivedTexts(b)).toEqual(['one', 'two', 'three', 'four', 'five', 'six']);
    expect(restored.markReadByPeer(former, [1])).toEqual([`${former}-1`]);
    expect(meet(restored, b)).toEqual({ a: [], b: [] });
  });

  it('begins a new id if the peer last saw one that this backup does not know', () => {
    const journal = openJournal();
    const before = journal.id;
    write(journal, '1');
    journal.reconcile(peerHolds('ee'.repeat(16), 4));
    expect(journal.id).not.toBe(before);
    expect(pendingTexts(journal)).toEqual(['1']);
  });

  it('keeps its id if the peer last saw a former one, or none', () => {
    const journal = openJournal();
    const former = journal.id;
    journal.reconcile(peerHolds('ee'.repeat(16), 4));
    const { id } = journal;
    journal.reconcile(peerHolds(former, 4));
    journal.reconcile(peerHolds('', 0));
    expect(journal.id).toBe(id);
  });

  it('knows, also after a transaction was undone, that its items may have been sent', () => {
    const [a, b] = [openJournal(), openJournal()];
    meet(a, b);
    const { id } = a;
    const undone = () =>
      a.transaction(() => {
        throw new Error('undone');
      });
    expect(undone).toThrow('undone');
    write(a, '1');
    for (const item of a.outgoing(0, 9)) b.receive(item);
    meet(a, b);
    expect(a.id).toBe(id);
  });

  it('does not think so after what the peer told was undone', () => {
    const journal = openJournal();
    const { id } = journal;
    const undone = () =>
      journal.transaction(() => {
        journal.reconcile(peerHolds('', 0));
        throw new Error('undone');
      });
    expect(undone).toThrow('undone');
    expect(journal.held().peerJournalId).toBe('');
    write(journal, '1');
    journal.reconcile(peerHolds(id, 1));
    expect(journal.id).not.toBe(id);
    expect(pendingTexts(journal)).toEqual(['1']);
  });

  it('refuses a peer that claims its journal, or does not say what it will send', () => {
    const journal = openJournal();
    const held = peerHolds('', 0);
    expect(() => journal.reconcile({ ...held, journalId: journal.id })).toThrow(ProtocolError);
    expect(() => journal.reconcile({ ...held, journalId: '' })).toThrow(ProtocolError);
    expect(() => journal.reconcile({ ...held, firstSequence: 0 })).toThrow(ProtocolError);
    expect(journal.held().peerJournalId).toBe('');
  });
});
