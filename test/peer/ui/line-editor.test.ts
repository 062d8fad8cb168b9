import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cutToEnd,
  cutToStart,
  cutWordBack,
  cutWordForward,
  deleteBack,
  deleteForward,
  enterLine,
  forgetLine,
  insert,
  type LineEditor,
  MAX_INPUT_LENGTH,
  moveLeft,
  moveRight,
  moveToEnd,
  moveToStart,
  moveWordLeft,
  moveWordRight,
  newEditor,
  pasteCut,
  setText,
  showNewer,
  showOlder,
} from '../../../src/peer/ui/line-editor.js';

const FAMILY = '👨‍👩‍👧‍👦';

/** `|` is the cursor. */
function editorWith(picture: string): LineEditor {
  return setText(newEditor(), picture.replace('|', ''), picture.indexOf('|'));
}

function picture({ text, cursor }: LineEditor): string {
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`;
}

test.each([
  ['typing puts text before the cursor', 'he|o', (e: LineEditor) => insert(e, 'll'), 'hell|o'],
  ['a paste keeps its newlines and tabs', '|', (e: LineEditor) => insert(e, 'a\r\n\tb\rc'), 'a\n\tb\nc|'],
  ['controls in a paste are dropped', '|', (e: LineEditor) => insert(e, 'a\x1b[31m\x07b\x9b'), 'a[31mb|'],
  ['a family is one step to the left', `a${FAMILY}|`, moveLeft, `a|${FAMILY}`],
  ['a family is one step to the right', `|${FAMILY}b`, moveRight, `${FAMILY}|b`],
  ['a flag is deleted whole', 'a🇩🇪|b', deleteBack, 'a|b'],
  ['an accented letter is deleted whole', 'ae\u0301|b', deleteBack, 'a|b'],
  ['deleting forward takes a whole family', `a|${FAMILY}b`, deleteForward, 'a|b'],
  ['deleting back at the start does nothing', '|a', deleteBack, '|a'],
  ['deleting forward at the end does nothing', 'a|', deleteForward, 'a|'],
  ['moving left at the start does nothing', '|a', moveLeft, '|a'],
  ['moving right at the end does nothing', 'a|', moveRight, 'a|'],
  ['Ctrl-W takes the word and the spaces behind it', 'one two  |x', cutWordBack, 'one |x'],
  ['Ctrl-W takes a path as one word', 'go /a/b.c|', cutWordBack, 'go |'],
  ['Alt-D takes the word ahead', 'one| two three', cutWordForward, 'one| three'],
  ['Ctrl-U cuts to the start', 'one |two', cutToStart, '|two'],
  ['Ctrl-K cuts to the end', 'one| two', cutToEnd, 'one|'],
  ['a word to the left', 'one two|', moveWordLeft, 'one |two'],
  ['a word to the left, over spaces', 'one two  |', moveWordLeft, 'one |two  '],
  ['a word to the right', 'one| two', moveWordRight, 'one two|'],
  ['Chinese words are words', '你好 世界|', moveWordLeft, '你好 |世界'],
  ['Home', 'one two|', moveToStart, '|one two'],
  ['End', '|one two', moveToEnd, 'one two|'],
])('%s', (_name, before, edit, after) => {
  expect(picture(edit(editorWith(before)))).toBe(after);
});

test('the second half of a flag joins the first, and the cursor stays outside', () => {
  const [germany, rest] = ['\u{1f1e9}', '\u{1f1ea}'];
  const editor = insert(setText(newEditor(), rest, 0), germany);
  expect(editor.cursor).toBe(editor.text.length);
});

test('what was cut can be pasted back', () => {
  expect(picture(pasteCut(moveToStart(cutWordBack(editorWith('one two|')))))).toBe('two|one ');
});

test('an endless paste is bounded', () => {
  expect(insert(newEditor(), 'x'.repeat(MAX_INPUT_LENGTH + 1)).text.length).toBe(MAX_INPUT_LENGTH);
});

describe('history', () => {
  const editor = newEditor(['first', 'second']);

  test('goes back, stops at the oldest, and forward to the line being written', () => {
    const writing = insert(editor, 'draft');
    const oldest = showOlder(showOlder(showOlder(writing)));
    expect(oldest.text).toBe('first');
    expect(showNewer(oldest).text).toBe('second');
    expect(showNewer(showNewer(showNewer(oldest))).text).toBe('draft');
  });

  test('gains each line that is entered, once if repeated', () => {
    const once = enterLine(insert(editor, 'third'));
    const twice = enterLine(insert(once, 'third'));
    expect(once.text).toBe('');
    expect(twice.history).toEqual(['first', 'second', 'third']);
    expect(showOlder(twice).text).toBe('third');
  });

  test('is not changed by editing a line of it', () => {
    const edited = insert(showOlder(editor), '!');
    expect(showOlder(showNewer(edited)).text).toBe('second');
  });
});

test('after any edits the cursor is between two characters', () => {
  const edits = [
    moveLeft,
    moveRight,
    moveWordLeft,
    moveWordRight,
    deleteBack,
    deleteForward,
    cutWordBack,
    cutWordForward,
    cutToEnd,
    pasteCut,
    showOlder,
    enterLine,
  ];
  const step = fc.oneof(
    fc.constantFrom(...edits),
    fc.string({ unit: 'grapheme', maxLength: 5 }).map((text) => (editor: LineEditor) => insert(editor, text)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { text, cursor } = steps.reduce((editor, edit) => edit(editor), newEditor([FAMILY]));
      const segments = [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)];
      expect([...segments.map((segment) => segment.index), text.length]).toContain(cursor);
    }),
  );
});

test('a line that is to be forgotten does not come back, and the others do', () => {
  const editor = forgetLine(newEditor(['one', 'secret', 'two']), (line) => line === 'secret');
  expect(showOlder(editor).text).toBe('two');
  expect(showOlder(showOlder(editor)).text).toBe('one');
});
