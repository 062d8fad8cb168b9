import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { p2pCommand, quoteForShell } from '../../src/protocol/shell-command.js';

it('a command is what a shell makes of it', () => {
  expect(p2pCommand(['contact', 'unblock', 'bob'])).toBe('p2p contact unblock bob');
  expect(p2pCommand(['my friend'], '/home/a b')).toBe("p2p 'my friend' --home '/home/a b'");
  expect(p2pCommand(["O'Neil"])).toBe("p2p 'O'\\''Neil'");
  expect(p2pCommand(['jörg', '~', '$HOME', ''])).toBe("p2p jörg '~' '$HOME' ''");
});

it.runIf(process.platform !== 'win32')('every word comes out of a shell as it was', () => {
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 50 }), (words) => {
      const script = `printf '%s\\0' ${words.map((each) => quoteForShell(each)).join(' ')}`;
      const heard = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
      expect(heard).toEqual(words);
    }),
    { numRuns: 30 },
  );
});

it('on Windows, words stand between double quotes', () => {
  expect(quoteForShell('C:\\Users\\a b', 'win32')).toBe('"C:\\Users\\a b"');
  expect(quoteForShell('C:\\Users\\ab', 'win32')).toBe('C:\\Users\\ab');
});
