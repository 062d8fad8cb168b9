import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type InputLine, LineSplitter, MAX_LINE_BYTES } from '../../../src/peer/ui/line-splitter.js';

function split(...pieces: (string | Buffer)[]): InputLine[] {
  const splitter = new LineSplitter();
  return [...pieces.flatMap((piece) => splitter.feed(Buffer.from(piece as string))), ...splitter.end()];
}

function text(line: string): InputLine {
  return { kind: 'text', text: line };
}

test('lines end in a newline, the last one in the end', () => {
  expect(split('one\ntwo\r\n\nthree')).toEqual([text('one'), text('two'), text(''), text('three')]);
  expect(split('one\n')).toEqual([text('one')]);
  expect(split('')).toEqual([]);
});

test('are the same in whatever pieces they arrive', () => {
  const bytes = Buffer.from('héllo\n你好 👍\n\nend');
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.nat(bytes.length), (a, b) => {
      const [i, j] = [Math.min(a, b), Math.max(a, b)];
      expect(split(bytes.subarray(0, i), bytes.subarray(i, j), bytes.subarray(j))).toEqual(split(bytes));
    }),
  );
});

test.each([
  [-1, 'text'],
  [0, 'text'],
  [1, 'tooLong'],
])('a line of the limit %d is %s, and the next one is read', (more, kind) => {
  const [first, second] = split(`${'x'.repeat(MAX_LINE_BYTES + more)}\nnext\n`);
  expect(first?.kind).toBe(kind);
  expect(second).toEqual(text('next'));
});

test('bytes that are no UTF-8 are said to be none, and the next line is read', () => {
  expect(split(Buffer.from([0xff, 0xfe, 0x0a, 0x61, 0x0a]))).toEqual([{ kind: 'notUtf8' }, text('a')]);
});
