import { lazily } from './lazily.js';

/** The input line as data: every edit is a function from one state to the next. It knows no keys and no screen. */
export interface LineEditor {
  readonly text: string;
  /** Index into `text`, always between two characters as a person counts them. */
  readonly cursor: number;
  /** Lines entered before, oldest first. */
  readonly history: readonly string[];
  /** Which line of the history is shown; history.length: the line being written. */
  readonly shown: number;
  /** The line being written, put aside while the history is shown. */
  readonly draft: string;
  /** What was last cut, for pasting back. */
  readonly cut: string;
}

/** More than any message may hold; an endless paste must not fill the memory. */
export const MAX_INPUT_LENGTH = 256 * 1024;
const MAX_HISTORY = 500;

// What would be obeyed by the peer's terminal has no business in a message; newlines and tabs do.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

const graphemes = lazily(() => new Intl.Segmenter('en', { granularity: 'grapheme' }));
const words = lazily(() => new Intl.Segmenter('en', { granularity: 'word' }));

export function newEditor(history: readonly string[] = []): LineEditor {
  const kept = history.slice(-MAX_HISTORY);
  return { text: '', cursor: 0, history: kept, shown: kept.length, draft: '', cut: '' };
}

/** Puts text in at the cursor: typed, pasted or completed. */
export function insert(editor: LineEditor, added: string): LineEditor {
  const room = MAX_INPUT_LENGTH - editor.text.length;
  const clean = added.replace(/\r\n?/g, '\n').replace(CONTROLS, '').slice(0, room);
  const text = editor.text.slice(0, editor.cursor) + clean + editor.text.slice(editor.cursor);
  // What was typed may join what follows into one character, as a flag's second half does.
  return { ...editor, text, cursor: boundaryAtOrAfter(text, editor.cursor + clean.length) };
}

/** Replaces everything, with the cursor at the end unless said otherwise. */
export function setText(editor: LineEditor, text: string, cursor = text.length): LineEditor {
  return { ...editor, text, cursor: boundaryAtOrAfter(text, cursor) };
}

export function deleteBack(editor: LineEditor): LineEditor {
  return deleteRange(editor, previousBoundary(editor.text, editor.cursor), editor.cursor);
}

export function deleteForward(editor: LineEditor): LineEditor {
  return deleteRange(editor, editor.cursor, nextBoundary(editor.text, editor.cursor));
}

/** Cuts back to the last space, as a shell does. */
export function cutWordBack(editor: LineEditor): LineEditor {
  const before = editor.text.slice(0, editor.cursor);
  return cutRange(editor, before.replace(/\S*\s*$/u, '').length, editor.cursor);
}

export function cutWordForward(editor: LineEditor): LineEditor {
  return cutRange(editor, editor.cursor, wordEndAfter(editor.text, editor.cursor));
}

export function cutToStart(editor: LineEditor): LineEditor {
  return cutRange(editor, 0, editor.cursor);
}

export function cutToEnd(editor: LineEditor): LineEditor {
  return cutRange(editor, editor.cursor, editor.text.length);
}

export function pasteCut(editor: LineEditor): LineEditor {
  return insert(editor, editor.cut);
}

export function moveLeft(editor: LineEditor): LineEditor {
  return { ...editor, cursor: previousBoundary(editor.text, editor.cursor) };
}

export function moveRight(editor: LineEditor): LineEditor {
  return { ...editor, cursor: nextBoundary(editor.text, editor.cursor) };
}

export function moveWordLeft(editor: LineEditor): LineEditor {
  return { ...editor, cursor: wordStartBefore(editor.text, editor.cursor) };
}

export function moveWordRight(editor: LineEditor): LineEditor {
  return { ...editor, cursor: wordEndAfter(editor.text, editor.cursor) };
}

export function moveToStart(editor: LineEditor): LineEditor {
  return { ...editor, cursor: 0 };
}

export function moveToEnd(editor: LineEditor): LineEditor {
  return { ...editor, cursor: editor.text.length };
}

export function showOlder(editor: LineEditor): LineEditor {
  const older = editor.history[editor.shown - 1];
  if (older === undefined) return editor;
  const draft = editor.shown === editor.history.length ? editor.text : editor.draft;
  return { ...setText(editor, older), shown: editor.shown - 1, draft };
}

export function showNewer(editor: LineEditor): LineEditor {
  if (editor.shown === editor.history.length) return editor;
  const newer = editor.history[editor.shown + 1] ?? editor.draft;
  return { ...setText(editor, newer), shown: editor.shown + 1 };
}

/** The line was used: it goes into the history (once, if repeated) and the input is empty again. */
export function enterLine(editor: LineEditor): LineEditor {
  const repeated = editor.text === '' || editor.history.at(-1) === editor.text;
  const history = repeated ? editor.history : [...editor.history, editor.text].slice(-MAX_HISTORY);
  return { ...editor, text: '', cursor: 0, history, shown: history.length, draft: '' };
}

function cutRange(editor: LineEditor, from: number, to: number): LineEditor {
  const cut = editor.text.slice(from, to);
  return cut === '' ? editor : { ...deleteRange(editor, from, to), cut };
}

function deleteRange(editor: LineEditor, from: number, to: number): LineEditor {
  const text = editor.text.slice(0, from) + editor.text.slice(to);
  return { ...editor, text, cursor: boundaryAtOrAfter(text, from) };
}

function previousBoundary(text: string, index: number): number {
  return index > 0
    ? (graphemes()
        .segment(text)
        .containing(index - 1)?.index ?? 0)
    : 0;
}

function nextBoundary(text: string, index: number): number {
  const next = graphemes().segment(text).containing(index);
  return next ? next.index + next.segment.length : text.length;
}

function boundaryAtOrAfter(text: string, index: number): number {
  const at = graphemes().segment(text).containing(index);
  return !at || at.index === index ? Math.min(index, text.length) : at.index + at.segment.length;
}

function wordStartBefore(text: string, index: number): number {
  const segments = words().segment(text);
  let at = index;
  while (at > 0) {
    const segment = segments.containing(at - 1);
    at = segment?.index ?? 0;
    if (segment?.isWordLike) break;
  }
  return at;
}

function wordEndAfter(text: string, index: number): number {
  const segments = words().segment(text);
  let at = index;
  while (at < text.length) {
    const segment = segments.containing(at);
    if (!segment) break;
    at = segment.index + segment.segment.length;
    if (segment.isWordLike) break;
  }
  return at;
}

/** Lines that were used and are not to come back. What is being written, or shown to be used again, stays. */
export function forgetLine(editor: LineEditor, isIt: (line: string) => boolean): LineEditor {
  const history = editor.history.filter((line) => !isIt(line));
  const gone = editor.history.slice(0, editor.shown).filter(isIt).length;
  return { ...editor, history, shown: editor.shown - gone };
}
