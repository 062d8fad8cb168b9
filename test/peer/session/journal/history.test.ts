import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closeJournal, deliverAll, meet, newFolder, openJournal, write } from './fixture.js';

function journalOf(...texts: string[]) {
  const journal = openJournal();
  journal.transaction(() => {
    for (const words of texts) write(journal, words);
  });
  return (typed: string, count = 10) => journal.search(typed, count).map((line) => line.text);
}

describe('history', () => {
  it('returns the last lines of both sides, oldest first', () => {
    const [a, b] = [openJournal(), openJournal()];
    meet(a, b);
    write(a, 'one');
    write(b, 'two');
    deliverAll(b, a);
    write(a, 'three');
    expect(a.history(2).map(({ from, text, state }) => [from, text, state])).toEqual([
      ['peer', 'two', 'received'],
      ['me', 'three', 'sent'],
    ]);
    expect(a.history(99)).toHaveLength(3);
    expect(a.history(0)).toEqual([]);
    expect(a.history(-1)).toEqual([]);
  });

  it('bears any moment that a peer claims', () => {
    const journal = openJournal();
    journal.reconcile({ peerJournalId: '', peerSequence: 0, journalId: '0f'.repeat(16), firstSequence: 1 });
    journal.receive({
      kind: 'item',
      sequence: 1,
      atMs: Number.MAX_SAFE_INTEGER,
      body: { kind: 'text', text: 'from afar' },
    });
    expect(journal.history(1)[0]?.at).toBe('9999-12-31T23:59:59.999Z');
  });
});

describe('search', () => {
  it.each([
    ['two Chinese characters inside a sentence', '他对我说你好，然后走了', '你好'],
    ['one Chinese character', '他对我说你好，然后走了', '走'],
    ['a Chinese word beside Latin letters', '请看README文件', '文件'],
    ['Japanese kana', '明日の朝に会いましょう', 'の朝'],
    ['full-width forms', 'ＡＢＣ１２３', 'abc123'],
    ['Korean without its particle', '내일 학교에서 만나요', '학교'],
    ['Thai', 'สวัสดีครับทุกคน', 'ครับ'],
    ['Hindi', 'नमस्ते दुनिया', 'दुनिया'],
    ['Arabic', 'مرحبا بالعالم', 'بالعالم'],
    ['Russian in another case', 'Доброе Утро', 'утро'],
    ['Greek in another case', 'Καλημέρα Κόσμε', 'κοσμε'],
    ['accents left out', 'un café crème', 'creme'],
    ['accents put in', 'un cafe creme', 'crème'],
    ['a decomposed accent', 'cre\u0300me', 'crème'],
    ['a word of one letter', 'plan b it is', 'b'],
    ['the beginning of a word', 'the mediator answered', 'media'],
    ['an address', 'write to ann@example.com today', 'ann@example'],
    ['an emoji newer than SQLite', 'nice 🫠 indeed', '🫠'],
    ['an emoji stuck to a word', 'great🎉', 'great'],
    ['two words in any order', 'the quick brown fox', 'fox quick'],
    ['words past a line break', 'first\nsecond', 'second'],
    ['words past a NUL', 'first\0second', 'second'],
  ])('finds %s', (_, text, typed) => {
    const search = journalOf('something else', text, '別のこと');
    expect(search(typed)).toEqual([text]);
  });

  it('wants every word, and characters in their order', () => {
    const search = journalOf('好你', 'quick fox', 'mediator');
    expect(search('你好')).toEqual([]);
    expect(search('quick dog')).toEqual([]);
    expect(search('ator')).toEqual([]);
  });

  it('returns the newest lines, the newest last', () => {
    const search = journalOf('a 1', 'a 2', 'b', 'a 3');
    expect(search('a', 2)).toEqual(['a 2', 'a 3']);
    expect(search('a', 0)).toEqual([]);
  });

  it('finds texts of both sides, also after their ids moved to another journal', () => {
    const journal = openJournal();
    write(journal, 'moved along');
    journal.reconcile({
      peerJournalId: 'ee'.repeat(16),
      peerSequence: 1,
      journalId: '0f'.repeat(16),
      firstSequence: 1,
    });
    journal.receive({ kind: 'item', sequence: 1, atMs: 0, body: { kind: 'text', text: 'they moved too' } });
    expect(journal.search('moved', 9).map(({ id }) => id)).toEqual([`${journal.id}-1`, `${'0f'.repeat(16)}-1`]);
  });

  it.each(['', ' ', '"', '*', '-', '()', "'; --", 'NEAR(', '^', '\0', '\ud800', '+++'])(
    'finds nothing by %j',
    (typed) => {
      expect(journalOf('a text')(typed)).toEqual([]);
    },
  );

  it.each(['AND', 'NOT', 'text OR', 'spaced:text', 'NEAR(a text)', 'a NOT text'])(
    'takes %j for words that are not there',
    (typed) => expect(journalOf('a longer text')(typed)).toEqual([]),
  );

  it.each(['"a', 'a* te*', '{text}: a', '^a', '-text', '(text'])('takes %j for words that are there', (typed) => {
    expect(journalOf('a longer text')(typed)).toEqual(['a longer text']);
  });

  it('never throws, whatever is written and whatever is typed, and finds what was written by itself', () => {
    const journal = openJournal();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 20 }), (written, typed) => {
        const { id } = write(journal, written);
        journal.search(typed, 5);
        const found = journal.search(written, 5);
        if (/[a-z0-9\u4e00-\u9fff]/.test(written)) expect(found.map((line) => line.id)).toContain(id);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the index', () => {
  const HOUR_MS = 3_600_000;
  const word = fc.constantFrom('marimba', 'xylophone', 'vibraphone');
  const step = fc.oneof(
    fc.record({ act: fc.constant('say' as const), word, mortal: fc.boolean() }),
    fc.record({ act: fc.constantFrom('deliver' as const, 'vanish' as const, 'erase' as const, 'reopen' as const) }),
    fc.record({ act: fc.constant('search' as const), word }),
  );

  it('finds exactly what is there, whatever came, went and was looked for before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const [folder, peer] = [newFolder(), openJournal()];
        let journal = openJournal(folder);
        meet(journal, peer);
        const expectFound = (typed: string) => {
          const there = journal.history(99).filter(({ text }) => text === typed);
          expect(journal.search(typed, 99)).toEqual(there);
          expect([...journal.past(typed)]).toEqual(there.map((line) => ({ kind: 'message', ...line })));
        };
        for (const each of steps) {
          if (each.act === 'say') {
            const lifetimeMs = each.mortal ? HOUR_MS : 0;
            journal.append({ kind: 'text', text: each.word, lifetimeMs }, Date.now());
          } else if (each.act === 'deliver') deliverAll(journal, peer);
          else if (each.act === 'vanish') journal.vanish(Date.now() + 2 * HOUR_MS);
          else if (each.act === 'erase') journal.erase();
          else if (each.act === 'search') expectFound(each.word);
          else {
            closeJournal(journal);
            journal = openJournal(folder);
            meet(journal, peer);
          }
        }
        for (const typed of ['marimba', 'xylophone', 'vibraphone']) expectFound(typed);
        closeJournal(journal);
        closeJournal(peer);
      }),
      { numRuns: 25 },
    );
  });
});
