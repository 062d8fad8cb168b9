import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyDecoder, type KeyEvent } from '../../../src/peer/ui/keys.js';

function decode(...pieces: (string | Buffer)[]): KeyEvent[] {
  const decoder = new KeyDecoder();
  const events = pieces.flatMap((piece) => decoder.feed(Buffer.from(piece as string)));
  return [...events, ...decoder.flush()];
}

function keys(bytes: string): string[] {
  return decode(bytes).map((event) => (event.type === 'key' ? event.name : event.type));
}

test.each([
  ['\x1b[A', 'up'],
  ['\x1bOA', 'up'],
  ['\x1b[1;5D', 'ctrl-left'],
  ['\x1b[1;3C', 'alt-right'],
  ['\x1b[1;5H', 'ctrl-home'],
  ['\x1bOd', 'ctrl-left'],
  ['\x1b[H', 'home'],
  ['\x1b[1~', 'home'],
  ['\x1b[4~', 'end'],
  ['\x1b[3~', 'delete'],
  ['\x1b[5~', 'pageup'],
  ['\x1b[6~', 'pagedown'],
  ['\x1b[Z', 'shift-tab'],
  ['\x7f', 'backspace'],
  ['\x08', 'backspace'],
  ['\x1b\x7f', 'alt-backspace'],
  ['\t', 'tab'],
  ['\r', 'enter'],
  ['\n', 'ctrl-j'],
  ['\x1b\r', 'alt-enter'],
  ['\x1b[27;3;13~', 'alt-enter'],
  ['\x1b[13;3u', 'alt-enter'],
  ['\x03', 'ctrl-c'],
  ['\x1a', 'ctrl-z'],
  ['\x1bb', 'alt-b'],
  ['\x1b', 'escape'],
])('%j is %s', (bytes, name) => {
  expect(keys(bytes)).toEqual([name]);
});

describe('text', () => {
  test('typed at once comes as one piece', () => {
    expect(decode('héllo 你好')).toEqual([{ type: 'text', text: 'héllo 你好' }]);
  });

  test('is put together from split UTF-8', () => {
    const bytes = Buffer.from('👍');
    expect(decode(bytes.subarray(0, 1), bytes.subarray(1, 3), bytes.subarray(3))).toEqual([
      { type: 'text', text: '👍' },
    ]);
  });

  test('that is no UTF-8 does no harm', () => {
    expect(decode(Buffer.from([0xff, 0x41]))).toEqual([{ type: 'text', text: '\ufffdA' }]);
  });
});

describe('paste', () => {
  test('is one event, whatever is in it', () => {
    const text = 'one\r\ntwo\x03\x1b[A three';
    expect(decode(`\x1b[200~${text}\x1b[201~x`)).toEqual([
      { type: 'paste', text },
      { type: 'text', text: 'x' },
    ]);
  });

  test('survives being cut anywhere', () => {
    const bytes = Buffer.from('a\x1b[200~你\n👍\x1b[201~\x1b[A');
    const whole = decode(bytes);
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(bytes.length), (a, b) => {
        const [first, second] = [Math.min(a, b), Math.max(a, b)];
        expect(decode(bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second))).toEqual(whole);
      }),
    );
  });

  test('that never ends is bounded', () => {
    const decoder = new KeyDecoder();
    decoder.feed(Buffer.from('\x1b[200~'));
    for (let i = 0; i < 3; i += 1) decoder.feed(Buffer.alloc(1024 * 1024, 'x'));
    const [event] = decoder.feed(Buffer.from('\x1b[201~'));
    expect(event?.type === 'paste' && event.text.length).toBe(1024 * 1024);
  });
});

test('focus and the wheel are told', () => {
  expect(decode('\x1b[I\x1b[O')).toEqual([
    { type: 'focus', focused: true },
    { type: 'focus', focused: false },
  ]);
  expect(decode('\x1b[<64;10;5M\x1b[<65;10;5M\x1b[M`!!\x1b[Ma!!')).toEqual([
    { type: 'wheel', direction: 'up' },
    { type: 'wheel', direction: 'down' },
    { type: 'wheel', direction: 'up' },
    { type: 'wheel', direction: 'down' },
  ]);
});

test('clicks, answers of the terminal and unknown keys are swallowed whole', () => {
  expect(decode('\x1b[<0;10;5M\x1b[<0;10;5m\x1b[?62;c\x1b[24~\x1b[[A\x1b[99;9xa')).toEqual([
    { type: 'text', text: 'a' },
  ]);
});

test('half a sequence waits, and is dropped when nothing follows', () => {
  const decoder = new KeyDecoder();
  expect(decoder.feed(Buffer.from('\x1b['))).toEqual([]);
  expect(decoder.undecided).toBe(true);
  expect(decoder.flush()).toEqual([]);
  expect(decoder.feed(Buffer.from('A'))).toEqual([{ type: 'text', text: 'A' }]);
});

test('no bytes at all make it stumble or hold back what follows', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const decoder = new KeyDecoder();
      decoder.feed(Buffer.from(noise));
      decoder.flush();
      decoder.feed(Buffer.from('\x1b[201~'));
      decoder.flush();
      expect(decoder.feed(Buffer.from('ok!!'.repeat(2))).at(-1)).toMatchObject({ type: 'text' });
    }),
  );
});
