import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { harmlessOutput, print, printJson, reportError, warn } from '../../../src/peer/ui/output.js';
import { ExitCode, UserError } from '../../../src/protocol/errors.js';

let stdout = '';
let stderr = '';
beforeEach(() => {
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const hostile = 'a\x1b[2Jb\x9b2Jc';

test('a user error is said with its hint, without a stack, and gives its exit code', () => {
  expect(reportError(new UserError(ExitCode.peerAbsent, `who is ${hostile}?`, 'Ask.'), false)).toBe(5);
  expect(stderr).toBe('p2p: who is a\ufffd[2Jb\ufffd2Jc?\nAsk.\n');
  expect(stdout).toBe('');
});

test('a bug is said with its stack, asks to be reported, and exits with 1', () => {
  expect(reportError(new TypeError('x is not a function'), false)).toBe(1);
  expect(stderr).toMatch(
    /^p2p: .*mistake in the program: x is not a function\nPlease report it.*\nTypeError: .*\n +at /,
  );
  expect(reportError('thrown text', false)).toBe(1);
});

test('in JSON mode both are one error event on stdout besides', () => {
  reportError(new UserError(ExitCode.usage, 'what', 'hint'), true);
  reportError(new Error('bug'), true);
  const events = stdout.trim().split('\n');
  expect(events.map((line) => JSON.parse(line))).toEqual([
    { event: 'error', code: 2, message: 'what', hint: 'hint' },
    { event: 'error', code: 1, message: expect.stringContaining('bug'), hint: expect.stringContaining('report') },
  ]);
  expect(stderr).toContain('p2p: what\nhint\n');
});

test('text is printed without what a terminal would obey; JSON keeps it, escaped, on one line', () => {
  print(hostile);
  warn(hostile);
  expect([stdout, stderr]).toEqual(['a\ufffd[2Jb\ufffd2Jc\n', 'p2p: warning: a\ufffd[2Jb\ufffd2Jc\n']);
  stdout = '';
  const value = { text: `${hostile}\n\u2028\u2029\x7f` };
  printJson(value);
  expect(stdout).toMatch(/^[\x20-\x7e]+\n$/);
  expect(JSON.parse(stdout)).toEqual(value);
});

test('a terminal gets a stream of bytes without what it would obey, letters whole; anything else gets it as it is', async () => {
  const bytes = Buffer.from(`ü€${hostile}\x1b]0;title\x07\n`);
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  const harmless = harmlessOutput(terminal);
  for (const byte of bytes) harmless.write(Buffer.of(byte));
  await new Promise<void>((done) => harmless.end(done));
  expect(String(terminal.read())).toBe('ü€a\ufffd[2Jb\ufffd2Jc\ufffd]0;title\ufffd\n');
  const file = new PassThrough();
  expect(harmlessOutput(file)).toBe(file);
});
