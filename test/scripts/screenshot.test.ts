import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../scripts/screenshot.mjs');

function picture(screen: string, ...options: string[]): string {
  return execFileSync(process.execPath, [SCRIPT, ...options], { input: screen, encoding: 'utf8' });
}

test('text keeps its place, its colour and its weight', () => {
  const svg = picture('ab \x1b[1;31mred\x1b[0m\n\x1b[38;5;244mgrey\x1b[39m\n');
  expect(svg).toMatch(/<text x="14" y="57" fill="#d6dbe4"[^>]*>ab<\/text>/);
  expect(svg).toMatch(/<text x="39.2" y="57" fill="#e06c75" font-weight="bold"[^>]*>red<\/text>/);
  expect(svg).toMatch(/<text x="14" y="75" fill="#808080"[^>]*>grey<\/text>/);
});

test('inverse text has its colours changed over', () => {
  expect(picture('\x1b[7mbar\x1b[m')).toMatch(/<rect[^>]*fill="#d6dbe4"[^>]*>\n<text[^>]*fill="#171b24"[^>]*>bar</);
});

test('what follows a wide character stands two columns on', () => {
  expect(picture('你x')).toMatch(/x="30.8"[^>]*>x</);
});

test('the picture is as wide as asked, and has a title', () => {
  const svg = picture('x', '--columns', '40', '--title', 'a < b');
  expect(svg).toContain('width="364"');
  expect(svg).toContain('<title>a &#60; b</title>');
});

test('signs that mean something in XML are written out', () => {
  expect(picture('<a> & "b"')).toContain('&#60;a&#62; &#38; &#34;b&#34;');
});
