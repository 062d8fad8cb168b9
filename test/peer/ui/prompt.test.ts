import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { secretPrompt, yesNoPrompt } from '../../../src/peer/ui/prompt.js';

/** A terminal's two streams, which keep what was shown and in which mode the input was. */
function newTerminal() {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const shown = () => String(output.read() ?? '');
  return { input, output, modes, shown };
}

async function ask(...typed: (string | Buffer)[]) {
  const terminal = newTerminal();
  const answer = secretPrompt(terminal)?.('Passphrase: ');
  for (const keys of typed) terminal.input.write(keys);
  return { line: await answer, ...terminal };
}

test.each([
  ['carriage return', 'secret\r', 'secret'],
  ['newline', 'secret\n', 'secret'],
  ['backspace', 'secrxx\x7f\bet\r', 'secret'],
  ['backspace over an emoji', 'a🔑\x7fb\r', 'ab'],
  ['Ctrl-U', 'wrong\x15secret\r', 'secret'],
  ['control characters', 'se\x01cr\x1bet\r', 'secret'],
  ['Ctrl-D within a line', 'sec\x04ret\r', 'secret'],
  ['nothing at all', '\r', ''],
  ['letters of all the world', 'schön 秘密 🔑\r', 'schön 秘密 🔑'],
])('a line with %s is read as meant', async (_, typed, line) => {
  expect((await ask(typed)).line).toBe(line);
});

test('a letter that comes in two pieces is one letter', async () => {
  const bytes = Buffer.from('ö\r');
  expect((await ask(bytes.subarray(0, 1), bytes.subarray(1))).line).toBe('ö');
});

test('nothing that is typed is shown, and the terminal is given back', async () => {
  const { shown, modes, input } = await ask('secret\r');
  expect(shown()).toBe('Passphrase: \n');
  expect(modes).toEqual([true, false]);
  expect(input.isPaused()).toBe(true);
  expect(input.listenerCount('data')).toBe(0);
});

test('the echo is off before the question appears', () => {
  const terminal = newTerminal();
  const modeAtQuestion: boolean[][] = [];
  terminal.output.once('data', () => modeAtQuestion.push([...terminal.modes]));
  secretPrompt(terminal)?.('Passphrase: ').catch(() => {});
  terminal.output.read();
  expect(modeAtQuestion).toEqual([[true]]);
});

test('what follows the line is left for the next to read', async () => {
  const { input } = await ask('secret\rhello');
  expect(String(input.read())).toBe('hello');
});

test.each([
  ['Ctrl-C', 'sec\x03'],
  ['Ctrl-D on an empty line', '\x04'],
])('%s is a user error, and gives the terminal back', async (_, typed) => {
  const terminal = newTerminal();
  const answer = secretPrompt(terminal)?.('Passphrase: ');
  terminal.input.write(typed);
  await expect(answer).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
  expect(terminal.modes).toEqual([true, false]);
});

test('the end of the input is a user error', async () => {
  const terminal = newTerminal();
  const answer = secretPrompt(terminal)?.('Passphrase: ');
  terminal.input.end();
  await expect(answer).rejects.toMatchObject({ name: 'UserError', exitCode: 2 });
});

test('there is no prompt unless both sides are a terminal', () => {
  const { input, output } = newTerminal();
  expect(secretPrompt({ input: new PassThrough(), output })).toBeNull();
  expect(secretPrompt({ input, output: new PassThrough() })).toBeNull();
});

test.each([
  ['y\n', true],
  [' Yes \r\n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
])('%j answers a question with %s', async (typed, answer) => {
  const terminal = newTerminal();
  const asked = yesNoPrompt(terminal)?.('Erase? ');
  expect(terminal.shown()).toBe('Erase? ');
  terminal.input.write(typed);
  expect(await asked).toBe(answer);
});

test('the end of the input is no yes, and without a terminal nobody is asked', async () => {
  const terminal = newTerminal();
  const asked = yesNoPrompt(terminal)?.('Erase? ');
  terminal.input.end();
  expect(await asked).toBe(false);
  expect(yesNoPrompt({ ...terminal, input: new PassThrough() })).toBeNull();
});
